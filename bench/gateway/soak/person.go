package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"
)

// token makes an HS256 JWT.
func token(user string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		enc.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, user, time.Now().Add(24*time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

// person is a user with one device, through all the lives of its client.
type person struct {
	user string
	dial func(ctx context.Context) (net.Conn, error) // chooses where to

	message func(protocol.Message, protocol.Envelope)
	ack     func(protocol.Ack)
	refused func(protocol.Error)
	state   func(client.State)
	setup   func(*client.Options) // further options; nil: none

	mu   sync.Mutex
	c    *client.Client // nil: it has none now
	conn net.Conn       // the last one
	life context.CancelFunc
	bye  bool // it is on its way out
}

// leaving says whether the client itself ends its connection.
func (p *person) leaving() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bye
}

// Back-off of these clients: that of an app that is in the foreground.
const backoffBase, backoffCap = 500 * time.Millisecond, 2 * time.Second

// live begins a life: a client that comes back for as long as it lasts.
func (p *person) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	bearer := token(p.user)
	o := client.Options{
		URL: "ws://im.test" + protocol.Path, Device: "d-" + p.user, Platform: "soak", Persist: true,
		Token:       func(context.Context) (string, error) { return bearer, nil },
		BackoffBase: backoffBase, BackoffCap: backoffCap,
		Handler: client.Handler{Message: p.message, Ack: p.ack, Error: p.refused, State: p.state},
		NetDial: func(dialing context.Context, _, _ string) (net.Conn, error) {
			if ctx.Err() != nil {
				return nil, errDead
			}
			conn, err := p.dial(dialing)
			if err == nil {
				p.mu.Lock()
				p.conn = conn
				p.mu.Unlock()
			}
			return conn, err
		},
	}
	if p.setup != nil {
		p.setup(&o)
	}
	c, err := client.Dial(ctx, o)
	if err != nil {
		cancel()
		return err
	}
	p.mu.Lock()
	p.c, p.life, p.bye = c, cancel, false
	p.mu.Unlock()
	return nil
}

var errDead = errors.New("this client was killed")

// client gives the client of the present life; nil between two.
func (p *person) client() *client.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.c
}

// cut resets the connection; the client comes back.
func (p *person) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		cut(p.conn)
	}
}

// kill ends a life without a word to the server: what the client knew is forgotten.
func (p *person) kill() error {
	p.mu.Lock()
	c, life := p.c, p.life
	p.c, p.bye = nil, true
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	life()
	p.cut()
	<-c.Done()
	return nil
}

// leave ends a life with a goodbye.
func (p *person) leave() error {
	p.mu.Lock()
	c, life := p.c, p.life
	p.c, p.bye = nil, true
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	defer life()
	return c.Close()
}

// all does something with each, not more than so many at a time.
func all(people []*person, atOnce int, do func(*person) error) error {
	errs := make([]error, len(people))
	places := make(chan struct{}, atOnce)
	var work sync.WaitGroup
	for i, p := range people {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			errs[i] = do(p)
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// body is what is sent: who sends, and which of its messages it is.
type body struct {
	Key string `json:"k"`
}

func (b body) raw() json.RawMessage { return json.RawMessage(`{"k":"` + b.Key + `"}`) }

func keyOf(m protocol.Message) (string, error) {
	var b body
	err := json.Unmarshal(m.Body, &b)
	return b.Key, err
}

func dialTo(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}
