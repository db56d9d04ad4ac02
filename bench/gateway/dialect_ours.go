package main

import (
	"bytes"
	"net/url"
	"strconv"
	"time"
)

// imv1 is the JSON subprotocol of docs/protocol.md.
type imv1 struct{}

func (imv1) request(c *client) (path, header string) {
	q := ""
	if c.session != "" {
		q = "?session_id=" + url.QueryEscape(c.session) + "&epoch=" + url.QueryEscape(c.epoch) + "&seq=" + strconv.FormatInt(c.seq.Load(), 10)
	}
	return "/ws/connect" + q, "Authorization: Bearer " + c.token + "\r\nSec-WebSocket-Protocol: im.v1.json\r\nX-Device-ID: d-" + c.user + "\r\n"
}

func (imv1) first(*client) []byte { return nil }

func (imv1) cut(frame []byte) (msg, rest []byte) { return frame, nil }

// head is what every envelope of the server begins with.
const head = `{"v":1,"type":"`

func (imv1) kind(msg []byte) kind {
	if len(msg) < len(head)+8 {
		return fault
	}
	switch t := msg[len(head):]; {
	case t[0] == 'm', t[0] == 'e' && t[1] == 'c':
		return delivery
	case t[0] == 'h':
		return welcome
	case t[0] == 'a' && bytes.Contains(t, []byte(`"ref":"enter"`)):
		return entered
	case t[0] == 'e':
		return fault
	}
	return other
}

func (imv1) learn(c *client, msg []byte) {
	c.session, c.epoch = field(msg, "session_id"), field(msg, "epoch")
	if ms, err := strconv.Atoi(field(msg, "ack_ms")); err == nil {
		c.ackEvery = time.Duration(ms) * time.Millisecond / 2
	}
	c.resumed = field(msg, "resumed") == "true"
}

// field gives the value of a field that stands once in msg, without quotes.
func field(msg []byte, name string) string {
	_, v, ok := bytes.Cut(msg, []byte(`"`+name+`":`))
	if !ok {
		return ""
	}
	if end := bytes.IndexAny(v, ",}"); end >= 0 {
		v = v[:end]
	}
	return string(bytes.Trim(v, `"`))
}

func (imv1) enter(dst []byte, room string) []byte {
	return append(append(append(dst, head+`subscribe","id":"enter","payload":{"room":"`...), room...), `"}}`...)
}

func (imv1) publish(dst []byte, id int64, room string, body []byte) []byte {
	dst = strconv.AppendInt(append(dst, head+`publish","id":"`...), id, 36)
	dst = append(append(dst, `","payload":{"room":"`...), room...)
	return append(append(append(dst, `","body":`...), body...), `}}`...)
}

func (imv1) echo(dst []byte, id int64, _ *client, body []byte) []byte {
	dst = strconv.AppendInt(append(dst, head+`echo","id":"`...), id, 36)
	return append(append(append(dst, `","payload":`...), body...), '}')
}

func (imv1) own(dst []byte, id int64, c *client, body []byte) []byte {
	dst = strconv.AppendInt(append(dst, head+`publish","id":"`...), id, 36)
	dst = append(append(dst, `","payload":{"to":"`...), c.user...)
	return append(append(append(dst, `","body":`...), body...), `}}`...)
}

// ackBatch is how many messages may come before they are acknowledged without waiting for the time.
const ackBatch = 128

func (imv1) receipt(dst []byte, c *client, msg []byte) []byte {
	if msg != nil {
		if _, rest, ok := bytes.Cut(msg[:min(len(msg), 128)], []byte(`"seq":`)); ok {
			n := int64(0)
			for _, b := range rest {
				if b < '0' || b > '9' {
					break
				}
				n = n*10 + int64(b-'0')
			}
			c.seq.Store(n)
		}
	}
	seq := c.seq.Load()
	if seq == c.acked || msg != nil && seq-c.acked < ackBatch {
		return dst // the sweeper will do it
	}
	c.acked = seq
	dst = strconv.AppendInt(append(dst, head+`ack","payload":{"seq":`...), seq, 10)
	return append(dst, `}}`...)
}

func (imv1) alive() []byte { return nil }
