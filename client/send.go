package client

import (
	"encoding/json"
	"strconv"

	"imwatch/im-server/protocol"
)

// Echo sends a JSON object that the server sends back; Handler.Echo gets it with the same id.
func (c *Client) Echo(payload json.RawMessage) (id string, err error) {
	id = c.nextID()
	return id, c.send(protocol.Envelope{Type: protocol.TypeEcho, ID: id, Payload: &protocol.Echo{Body: payload}})
}

// SendTo sends a message, any JSON value, to a user. The server answers with an ack or an error with the same id.
func (c *Client) SendTo(user string, body json.RawMessage) (id string, err error) {
	return c.publish(protocol.Publish{To: user, Body: body})
}

// SendRoom sends a message, any JSON value, to all in a room that this client has entered.
func (c *Client) SendRoom(room string, body json.RawMessage) (id string, err error) {
	return c.publish(protocol.Publish{Room: room, Body: body})
}

// Join enters a room, now and after every reconnect until [Client.Leave]; without a connection it is entered with the
// next one.
func (c *Client) Join(room string) error {
	c.mu.Lock()
	c.rooms[room] = true
	c.mu.Unlock()
	return c.send(c.roomEnvelope(protocol.TypeSubscribe, room))
}

// Leave leaves a room for good.
func (c *Client) Leave(room string) error {
	c.mu.Lock()
	delete(c.rooms, room)
	c.mu.Unlock()
	return c.send(c.roomEnvelope(protocol.TypeUnsubscribe, room))
}

func (c *Client) publish(p protocol.Publish) (id string, err error) {
	id = c.nextID()
	return id, c.send(protocol.Envelope{Type: protocol.TypePublish, ID: id, Payload: &p})
}

func (c *Client) roomEnvelope(t protocol.Type, room string) protocol.Envelope {
	return protocol.Envelope{Type: t, ID: c.nextID(), Payload: &protocol.Room{Room: room}}
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

// dispatch gives an envelope to the handler. Types that say nothing to it are passed over.
func (c *Client) dispatch(l *link, e protocol.Envelope) error {
	h := &c.opts.Handler
	if e.Type == protocol.TypePing {
		return l.send(protocol.Envelope{Type: protocol.TypePong, ID: e.ID})
	}
	switch p := e.Payload.(type) {
	case *protocol.Message:
		if h.Message != nil {
			h.Message(*p, e)
		}
		l.got = max(l.got, e.Seq)
		if l.got-l.acked >= ackEvery {
			return l.ack()
		}
	case *protocol.Echo:
		if h.Echo != nil {
			h.Echo(e.ID, p.Body)
		}
	case *protocol.Ack:
		if h.Ack != nil {
			h.Ack(*p)
		}
	case *protocol.Error:
		if h.Error != nil {
			h.Error(*p)
		}
	}
	return nil
}
