package imserver

import (
	"cmp"
	"errors"

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
		protocol.TypeAuth:        handleAuth,
		protocol.TypePresence:    handlePresence,
		protocol.TypeDevices:     handleDevices,
		protocol.TypeKick:        handleKick,
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
	if err == nil && c.arrival != nil {
		c.firstEnvelope(e)
		return
	}
	if c.s.quick(e.Type) {
		c.collect(len(data))
	} else {
		c.flush()
	}
	if !c.withinRate(e) {
		return
	}
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
	if c.errors++; c.errors < c.s.conf().Limits.Errors {
		return
	}
	if answer.Code == protocol.CodeDenied {
		c.end(event.ClosePermission, 0, nil)
		return
	}
	c.end(event.CloseTooManyErrors, 0, nil)
}

func handlePing(c *conn, e protocol.Envelope) error {
	c.reply(protocol.TypePong, e.ID, nil)
	return nil
}

func handleEcho(c *conn, e protocol.Envelope) error {
	c.reply(protocol.TypeEcho, e.ID, e.Payload) // encoded at once: its memory is used again
	return nil
}

// debug says whether lines of level debug are wanted.
func (s *Server) debug() bool { return s.log.Debug() }
