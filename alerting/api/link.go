package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting/silence"
	"imwatch/event"
)

// LinkPath is where links in messages point to.
const LinkPath = "/l/"

// The actions of links.
const (
	LinkAck     = "ack"
	LinkSilence = "silence"
	LinkExtend  = "extend" // of the silence that an alert of silence.EndsRule warns of
)

// silenceFor is how long a link silences an alert's rule and key, and by how much one extends a silence.
const silenceFor = time.Hour

// link is what a link stands for.
type link struct {
	Action   string `json:"a"`
	Alert    string `json:"i,omitempty"` // id
	Group    string `json:"g,omitempty"` // id, instead of an alert's
	Receiver string `json:"r"`           // who got it: who acts, for the audit
	Expires  int64  `json:"e"`           // seconds since 1970
	Silence  string `json:"s,omitempty"` // id, to be extended
}

// Links makes the links of messages. The zero Links makes none.
type Links struct {
	URL    string // under which people reach the interface
	Secret string
	TTL    time.Duration
}

// Links gives what makes links for a configuration.
func (c Config) Links() Links {
	if !c.On() || c.URL == "" || c.LinkSecret == "" {
		return Links{}
	}
	return Links{strings.TrimSuffix(c.URL, "/"), c.LinkSecret, c.LinkTTL}
}

// Make gives the link for an action on an alert in a message to a receiver; "" if there are none.
func (l Links) Make(action string, a *event.Alert, receiver string, now time.Time) string {
	v := link{Action: action, Alert: a.ID, Receiver: receiver}
	if action == LinkExtend {
		v.Silence = a.Labels[silence.IDLabel]
	}
	return l.make(v, now)
}

// MakeGroup gives the link for an action on all that a receiver was told of in a group, likewise.
func (l Links) MakeGroup(action, group, receiver string, now time.Time) string {
	return l.make(link{Action: action, Group: group, Receiver: receiver}, now)
}

func (l Links) make(v link, now time.Time) string {
	if l.Secret == "" {
		return ""
	}
	v.Expires = now.Add(l.TTL).Unix()
	payload, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	text := base64.RawURLEncoding.EncodeToString(payload)
	return l.URL + LinkPath + text + "." + l.sign(text)
}

func (l Links) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(l.Secret))
	mac.Write([]byte("imwatch link v1\n" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// open reads a link that was made with the secret and has not run out.
func (l Links) open(text string, now time.Time) (v link, err error) {
	payload, signature, _ := strings.Cut(text, ".")
	if l.Secret == "" || !hmac.Equal([]byte(l.sign(payload)), []byte(signature)) {
		return v, errors.New("this is no link of ours")
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	switch {
	case err != nil:
		return v, fmt.Errorf("reading a link: %w", err)
	case now.Unix() >= v.Expires:
		return v, errors.New("this link has run out")
	}
	return v, nil
}

// sameKey gives the conditions that only alerts of the same rule and key satisfy.
func sameKey(a *event.Alert) []string {
	match := []string{"rule = " + strconv.Quote(a.RuleID)}
	for _, p := range a.Key {
		match = append(match, "key."+p.Field+" = "+strconv.Quote(p.Value))
	}
	return match
}
