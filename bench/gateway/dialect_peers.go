package main

import (
	"bytes"
	"strconv"
)

// centrifugo is Centrifugo's JSON protocol: commands and replies, several in a frame, one a line.
type centrifugo struct{}

func (centrifugo) request(*client) (path, header string) {
	return "/connection/websocket", ""
}

func (centrifugo) first(c *client) []byte {
	return []byte(`{"id":1,"connect":{"token":"` + c.token + `"}}`)
}

func (centrifugo) cut(frame []byte) (msg, rest []byte) {
	msg, rest, _ = bytes.Cut(frame, []byte{'\n'})
	return msg, rest
}

func (centrifugo) kind(msg []byte) kind {
	switch {
	case len(msg) == 2:
		return probe
	case bytes.HasPrefix(msg, []byte(`{"push":`)):
		if bytes.Contains(msg, []byte(bodyMark)) {
			return delivery
		}
		return fault // a disconnect or an unsubscription
	case bytes.HasPrefix(msg, []byte(`{"id":1,"connect"`)):
		return welcome
	case bytes.HasPrefix(msg, []byte(`{"id":2,"subscribe"`)):
		return entered
	case bytes.Contains(msg, []byte(`"error":`)):
		return fault
	}
	return other
}

func (centrifugo) learn(*client, []byte) {}

func (centrifugo) enter(dst []byte, room string) []byte {
	return append(append(append(dst, `{"id":2,"subscribe":{"channel":"`...), room...), `"}}`...)
}

func (centrifugo) publish(dst []byte, id int64, room string, body []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"id":`...), id+100, 10)
	dst = append(append(dst, `,"publish":{"channel":"`...), room...)
	return append(append(append(dst, `","data":`...), body...), `}}`...)
}

func (d centrifugo) echo(dst []byte, id int64, c *client, body []byte) []byte {
	return d.publish(dst, id, c.room, body)
}

func (d centrifugo) own(dst []byte, id int64, c *client, body []byte) []byte {
	return d.publish(dst, id, c.room, body)
}

func (centrifugo) receipt(dst []byte, _ *client, _ []byte) []byte { return dst }

func (centrifugo) alive() []byte { return []byte(`{}`) }

// bare is what bench/gateway/bare understands: e, j and p with what they are about.
type bare struct{}

func (bare) request(c *client) (path, header string) {
	return "/ws", "Authorization: Bearer " + c.token + "\r\n"
}

func (bare) first(*client) []byte { return nil }

func (bare) cut(frame []byte) (msg, rest []byte) { return frame, nil }

func (bare) kind(msg []byte) kind {
	switch msg[0] {
	case '{':
		return delivery
	case 'w':
		return welcome
	case 'j':
		return entered
	}
	return fault
}

func (bare) learn(*client, []byte) {}

func (bare) enter(dst []byte, room string) []byte {
	return append(append(dst, 'j'), room...)
}

func (bare) publish(dst []byte, _ int64, _ string, body []byte) []byte {
	return append(append(dst, 'p'), body...)
}

func (bare) echo(dst []byte, _ int64, _ *client, body []byte) []byte {
	return append(append(dst, 'e'), body...)
}

func (d bare) own(dst []byte, id int64, c *client, body []byte) []byte {
	return d.echo(dst, id, c, body)
}

func (bare) receipt(dst []byte, _ *client, _ []byte) []byte { return dst }

func (bare) alive() []byte { return nil }
