package client

import (
	"encoding/json"
	"strconv"

	"imwatch/im-server/protocol"
)

// Echo sends a JSON object that the server sends back; Handler.Echo gets it with the same id.
func (c *Client) Echo(payload json.RawMessage) (id string, err error) {
	id = c.nextID()
	return id, c.send(protocol.Envelope{Type: protocol.TypeEcho, ID: id, Payload: payload})
}

// SendTo sends a message, any JSON value, to a user. The server answers with an ack or an error with the same id.
func (c *Client) SendTo(user string, body json.RawMessage) (id string, err error) {
	return c.message(protocol.Message{To: user, Body: body})
}

// SendRoom sends a message, any JSON value, to all in a room that this client has entered.
func (c *Client) SendRoom(room string, body json.RawMessage) (id string, err error) {
	return c.message(protocol.Message{Room: room, Body: body})
}

// Join enters a room, now and after every reconnect until [Client.Leave]; without a connection it is entered with the
// next one.
func (c *Client) Join(room string) error {
	c.mu.Lock()
	c.rooms[room] = true
	c.mu.Unlock()
	return c.send(c.roomEnvelope(protocol.TypeJoin, room))
}

// Leave leaves a room for good.
func (c *Client) Leave(room string) error {
	c.mu.Lock()
	delete(c.rooms, room)
	c.mu.Unlock()
	return c.send(c.roomEnvelope(protocol.TypeLeave, room))
}

func (c *Client) message(m protocol.Message) (id string, err error) {
	id = c.nextID()
	return id, c.send(protocol.Envelope{Type: protocol.TypeMessage, ID: id, Payload: m.Append(nil)})
}

func (c *Client) roomEnvelope(t protocol.Type, room string) protocol.Envelope {
	r := protocol.Room{Room: room}
	return protocol.Envelope{Type: t, ID: c.nextID(), Payload: r.Append(nil)}
}

func (c *Client) nextID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return "m-" + strconv.FormatInt(c.serial, 10)
}

// send writes to the connection there is. ErrNotConnected and ErrClosed mean that nothing was sent; after another error
// it may have been.
func (c *Client) send(e protocol.Envelope) error {
	c.mu.Lock()
	l, closing := c.link, c.closing
	c.mu.Unlock()
	switch {
	case closing:
		return ErrClosed
	case l == nil:
		return ErrNotConnected
	}
	e.TS = c.opts.Now().UnixMilli()
	return l.send(e)
}

// dispatch gives an envelope to the handler. Payloads that can't be read are told to the log and passed over.
func (c *Client) dispatch(l *link, e protocol.Envelope) error {
	h := &c.opts.Handler
	var err error
	switch e.Type {
	case protocol.TypePing:
		return l.send(protocol.Envelope{Type: protocol.TypePong, ID: e.ID})
	case protocol.TypeMessage:
		var m protocol.Message
		if m, err = protocol.ParseMessage(e.Payload, protocol.Lenient); err == nil && h.Message != nil {
			h.Message(m, e)
		}
		l.got = max(l.got, e.Seq)
		if l.got-l.acked >= ackEvery {
			return l.ack()
		}
	case protocol.TypeEcho:
		if h.Echo != nil {
			h.Echo(e.ID, e.Payload)
		}
	case protocol.TypeAck:
		var a protocol.Ack
		if a, err = protocol.ParseAck(e.Payload, protocol.Lenient); err == nil && h.Ack != nil {
			h.Ack(a)
		}
	case protocol.TypeError:
		var f protocol.Error
		if f, err = protocol.ParseError(e.Payload, protocol.Lenient); err == nil && h.Error != nil {
			h.Error(f)
		}
	case protocol.TypeHello, protocol.TypePong, protocol.TypeJoin, protocol.TypeLeave:
	}
	if err != nil {
		c.opts.Log.WithError(err).WithField("type", string(e.Type)).Warn("passing over an envelope of the server")
	}
	return nil
}
