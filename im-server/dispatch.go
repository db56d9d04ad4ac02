package imserver

import (
	"errors"
	"slices"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// handler does what one type of envelope asks for. Its payload must not be kept: the memory is used again. An error is
// told to the client; a *protocol.DecodeError as it is.
type handler func(c *conn, e protocol.Envelope) error

// handlers gives the handler of each type that a client may send.
func handlers() map[protocol.Type]handler {
	return map[protocol.Type]handler{
		protocol.TypePing:    handlePing,
		protocol.TypePong:    func(*conn, protocol.Envelope) error { return nil }, // a sign of life, noted already
		protocol.TypeEcho:    handleEcho,
		protocol.TypeMessage: handleMessage,
		protocol.TypeJoin:    handleJoin,
		protocol.TypeLeave:   handleLeave,
		protocol.TypeAck:     handleAck,
	}
}

func (c *conn) dispatch(text bool, data []byte) {
	if !text {
		c.reject(protocol.Envelope{}, len(data), &protocol.DecodeError{Code: protocol.CodeNotText, Detail: "binary messages are not taken"})
		return
	}
	e, err := protocol.Decode(data, protocol.Strict)
	if err == nil {
		h, ok := c.s.handlers[e.Type]
		if !ok {
			err = &protocol.DecodeError{Code: protocol.CodeNotForServer, Field: "type", Detail: "only a server sends " + string(e.Type)}
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
	c.reply(protocol.TypeError, "", answer.Append(nil))
	if c.errors++; c.errors >= c.s.conf().Limits.Errors {
		c.end(event.CloseTooManyErrors, 0, nil)
	}
}

func (c *conn) ack(ref string, delivered int) {
	a := protocol.Ack{Ref: ref, Delivered: int64(delivered)}
	c.reply(protocol.TypeAck, "", a.Append(nil))
}

func handlePing(c *conn, e protocol.Envelope) error {
	c.reply(protocol.TypePong, e.ID, nil)
	return nil
}

func handleEcho(c *conn, e protocol.Envelope) error {
	c.reply(protocol.TypeEcho, e.ID, e.Payload)
	return nil
}

func handleMessage(c *conn, e protocol.Envelope) error {
	m, err := protocol.ParseMessage(e.Payload, protocol.Strict)
	if err != nil {
		return err
	}
	if m.Room != "" && !slices.Contains(c.rooms, m.Room) {
		return &protocol.DecodeError{Code: protocol.CodeNotMember, Field: "payload.room", Detail: "join the room first"}
	}
	m.From = c.client.user
	out := protocol.Envelope{Type: protocol.TypeMessage, ID: e.ID, TS: c.s.now().UnixMilli(), Payload: m.Append(nil)}
	head, tail := out.Split()
	deliver := func(to *conn) bool { return to.sendNumbered(head, tail) }
	if m.Room != "" {
		c.ack(e.ID, c.s.hub.toRoom(m.Room, c, deliver))
	} else {
		c.ack(e.ID, c.s.hub.toUser(m.To, deliver))
	}
	return nil
}

func handleJoin(c *conn, e protocol.Envelope) error {
	r, err := protocol.ParseRoom(e.Payload, protocol.Strict)
	if err != nil {
		return err
	}
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

func handleLeave(c *conn, e protocol.Envelope) error {
	r, err := protocol.ParseRoom(e.Payload, protocol.Strict)
	if err != nil {
		return err
	}
	if i := slices.Index(c.rooms, r.Room); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
		c.s.hub.leave(r.Room, c)
		c.logRoom(event.ActionLeave, r.Room)
	}
	c.ack(e.ID, 0)
	return nil
}

func handleAck(c *conn, e protocol.Envelope) error {
	a, err := protocol.ParseAck(e.Payload, protocol.Strict)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Ref != "" || a.Seq > c.seq {
		return &protocol.DecodeError{Code: protocol.CodeBadField, Field: "payload.seq", Detail: "a client acknowledges by seq, up to the last message it was sent"}
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
