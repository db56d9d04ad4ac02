package imserver

import (
	"cmp"
	"errors"
	"slices"

	"imwatch/event"
	"imwatch/im-server/ops"
	"imwatch/im-server/protocol"
)

// handler does what one type of envelope asks for. Its payload must not be kept: the memory is used again. An error is
// told to the client; a *protocol.DecodeError as it is.
type handler func(c *conn, e protocol.Envelope) error

// handlers gives the handler of each type that a client may send.
func handlers() map[protocol.Type]handler {
	return map[protocol.Type]handler{
		protocol.TypePing:        handlePing,
		protocol.TypePong:        func(*conn, protocol.Envelope) error { return nil }, // a sign of life, noted already
		protocol.TypeEcho:        handleEcho,
		protocol.TypePublish:     handlePublish,
		protocol.TypeSubscribe:   handleSubscribe,
		protocol.TypeUnsubscribe: handleUnsubscribe,
		protocol.TypeAck:         handleAck,
	}
}

func (c *conn) dispatch(text bool, data []byte) {
	switch {
	case text && c.codec.Binary():
		c.reject(protocol.Envelope{}, len(data), &protocol.DecodeError{Code: protocol.CodeNotBinary, Detail: "text messages are not taken with " + c.codec.Name()})
		return
	case !text && !c.codec.Binary():
		c.reject(protocol.Envelope{}, len(data), &protocol.DecodeError{Code: protocol.CodeNotText, Detail: "binary messages are not taken with " + c.codec.Name()})
		return
	}
	e, err := c.codec.Decode(data, protocol.FromClient)
	c.s.watch.received(e.Type, len(data))
	c.follow(ops.DirIn, cmp.Or(string(e.Type), "invalid"), len(data))
	if err == nil {
		h, ok := c.s.handlers[e.Type]
		if !ok {
			err = &protocol.DecodeError{Code: protocol.CodeNotNow, Field: "type", Detail: string(e.Type) + " is not taken now"}
		} else {
			err = h(c, e)
		}
	}
	if err != nil {
		c.reject(e, len(data), err)
	}
}

// reject tells the client and the log that a message was refused. One that sends little else is closed.
func (c *conn) reject(e protocol.Envelope, size int, err error) {
	answer := protocol.Error{Code: protocol.CodeInternal, Text: "internal error", Ref: e.ID}
	if de, ok := errors.AsType[*protocol.DecodeError](err); ok {
		answer.Code, answer.Text = de.Code, de.Error()
	}
	c.s.metrics.rejected.WithLabelValues(string(answer.Code)).Inc()
	ev := c.event(event.ActionMessageRejected)
	ev.SetText(event.FieldEventReason, string(answer.Code))
	ev.SetText(event.FieldErrorCode, string(answer.Code))
	ev.SetText(event.FieldMessageID, e.ID)
	ev.SetInt(event.FieldMessageBytes, int64(size))
	ev.SetText(event.FieldMessageDirection, "in")
	c.s.emit(ev)
	c.reply(protocol.TypeError, "", &answer)
	if c.errors++; c.errors >= c.s.conf().Limits.Errors {
		c.end(event.CloseTooManyErrors, 0, nil)
	}
}

func (c *conn) ack(ref string, delivered int) {
	c.reply(protocol.TypeAck, "", &protocol.Ack{Ref: ref, Delivered: int64(delivered)})
}

func handlePing(c *conn, e protocol.Envelope) error {
	c.reply(protocol.TypePong, e.ID, nil)
	return nil
}

func handleEcho(c *conn, e protocol.Envelope) error {
	c.reply(protocol.TypeEcho, e.ID, e.Payload)
	return nil
}

func handlePublish(c *conn, e protocol.Envelope) error {
	p, _ := e.Payload.(*protocol.Publish)
	if p.Global != "" {
		return &protocol.DecodeError{Code: protocol.CodeUnknownTopic, Field: "payload.global", Detail: "there is none of this name"}
	}
	m := protocol.Message{From: c.client.user, To: p.To, Room: p.Room, Body: p.Body, Data: p.Data}
	if m.Room != "" && !slices.Contains(c.rooms, m.Room) {
		return &protocol.DecodeError{Code: protocol.CodeNotMember, Field: "payload.room", Detail: "subscribe to the room first"}
	}
	out := protocol.Envelope{Type: protocol.TypeMessage, ID: e.ID, TS: c.s.now().UnixMilli(), Payload: &m}
	parts := c.codec.Split(&out)
	deliver := func(to *conn) bool { return to.sendNumbered(&parts) }
	if m.Room != "" {
		c.ack(e.ID, c.s.hub.toRoom(m.Room, c, deliver))
	} else {
		c.ack(e.ID, c.s.hub.toUser(m.To, deliver))
	}
	return nil
}

func handleSubscribe(c *conn, e protocol.Envelope) error {
	r, _ := e.Payload.(*protocol.Room)
	if !slices.Contains(c.rooms, r.Room) {
		if len(c.rooms) >= c.s.conf().Limits.Rooms {
			return &protocol.DecodeError{Code: protocol.CodeTooManyRooms, Field: "payload.room", Detail: "leave another room first"}
		}
		c.rooms = append(c.rooms, r.Room)
		c.s.hub.join(r.Room, c)
		c.logRoom(event.ActionJoin, r.Room)
	}
	c.ack(e.ID, 0)
	return nil
}

func handleUnsubscribe(c *conn, e protocol.Envelope) error {
	r, _ := e.Payload.(*protocol.Room)
	if i := slices.Index(c.rooms, r.Room); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
		c.s.hub.leave(r.Room, c)
		c.logRoom(event.ActionLeave, r.Room)
	}
	c.ack(e.ID, 0)
	return nil
}

func handleAck(c *conn, e protocol.Envelope) error {
	a, _ := e.Payload.(*protocol.AckSeq)
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Seq > c.seq {
		return &protocol.DecodeError{Code: protocol.CodeBadField, Field: "payload.seq", Detail: "the last message that was sent has a smaller one"}
	}
	c.acked = max(c.acked, a.Seq)
	return nil
}

func (c *conn) logRoom(a event.Action, room string) {
	if c.s.debug() {
		ev := c.event(a)
		ev.SetText(event.FieldRoomID, room)
		c.s.emit(ev)
	}
}

// debug says whether lines of level debug are wanted.
func (s *Server) debug() bool { return s.log.Debug() }
