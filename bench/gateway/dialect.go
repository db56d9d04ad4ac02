package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// kind is what a message of a server is to the load program.
type kind int

const (
	other    kind = iota // answers that nobody waits for
	welcome              // the connection is open
	entered              // the room is entered
	delivery             // has a body in it
	probe                // the server asks for a sign of life
	fault                // the server refused something
)

// dialect is how one server is spoken to.
type dialect interface {
	// request gives path and further headers of the handshake.
	request(c *client) (path, header string)
	// first is what is sent behind the handshake; nil: nothing.
	first(c *client) []byte
	// cut gives the first message of a frame, and what follows it.
	cut(frame []byte) (msg, rest []byte)
	kind(msg []byte) kind
	// learn takes what is to be known of a welcome.
	learn(c *client, msg []byte)
	enter(dst []byte, room string) []byte
	publish(dst []byte, id int64, room string, body []byte) []byte
	// echo asks for a body to come back by the shortest way there is; own sends it to oneself, as a message.
	echo(dst []byte, id int64, c *client, body []byte) []byte
	own(dst []byte, id int64, c *client, body []byte) []byte
	// receipt acknowledges what has arrived, as far as a server wants that; msg is the last delivery.
	receipt(dst []byte, c *client, msg []byte) []byte
	// alive answers a probe.
	alive() []byte
}

// secret signs the tokens of all three.
const secret = "a secret for benches and nothing else, 32 bytes or more"

// token makes an HS256 JWT.
func token(user string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		enc.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, user, time.Now().Add(24*time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}
