package client

import (
	"maps"
	"slices"
	"time"

	"imwatch/im-server/protocol"
)

// room is one that the client is in, wants to be in, or is leaving.
type room struct {
	want      bool
	on        *link     // that the server was told by; nil: it was not
	id        string    // of that
	in        bool      // the server has said so, in this session
	refused   bool      // it will not
	notBefore time.Time // it was refused for now
}

// Join enters a room, now and after every reconnect until [Client.Leave]; without a connection it is entered with the next
// one. What is sent to the room meanwhile waits until the client is in. A refusal is told to Handler.Error.
func (c *Client) Join(name string) error { return c.setRoom(name, true) }

// Leave leaves a room for good.
func (c *Client) Leave(name string) error { return c.setRoom(name, false) }

func (c *Client) setRoom(name string, want bool) error {
	e := protocol.Envelope{Type: protocol.TypeSubscribe, ID: "x", Payload: &protocol.Room{Room: name}}
	if err := checked(&e); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended {
		return ErrClosed
	}
	switch r := c.rooms[name]; {
	case r != nil && r.want == want && (r.in || !r.refused):
	case r == nil && !want:
	default:
		c.rooms[name] = &room{want: want}
		c.look()
	}
	return nil
}

// roomsAgain makes ready for a new connection. mu is held.
func (c *Client) roomsAgain(resumed bool) {
	for name, r := range c.rooms {
		switch {
		case resumed && r.want && r.in:
		case !resumed && !r.want:
			delete(c.rooms, name)
		default:
			c.rooms[name] = &room{want: r.want}
		}
	}
}

// roomHeld says whether what is sent to a room has to wait. mu is held.
func (c *Client) roomHeld(name string) bool {
	r := c.rooms[name]
	return r != nil && r.want && !r.in && !r.refused
}

// roomsDue gives what the server is to be told of rooms. mu is held.
func (c *Client) roomsDue(l *link, now time.Time, until func(time.Time)) (list []protocol.Envelope) {
	for _, name := range slices.Sorted(maps.Keys(c.rooms)) {
		r := c.rooms[name]
		switch {
		case r.in && r.want, r.refused, r.on == l:
		case now.Before(r.notBefore):
			until(r.notBefore)
		default:
			t := protocol.TypeUnsubscribe
			if r.want {
				t = protocol.TypeSubscribe
			}
			r.on, r.id = l, c.nextID()
			list = append(list, protocol.Envelope{Type: t, ID: r.id, TS: now.UnixMilli(), Payload: &protocol.Room{Room: name}})
		}
	}
	return list
}

// roomAnswered takes an answer, and says whether it was one that is asked again. mu is held.
func (c *Client) roomAnswered(id string, err *RefusedError) (again bool) {
	for name, r := range c.rooms {
		if r.id != id || id == "" {
			continue
		}
		switch {
		case err != nil && err.again():
			r.on, r.id = nil, ""
			r.notBefore = c.opts.Now().Add(max(err.Wait, pauseBase))
			return true
		case !r.want:
			delete(c.rooms, name)
		default:
			r.in, r.refused = err == nil, err != nil
		}
		if conv := c.out.convs["r:"+name]; conv != nil {
			c.out.wake(conv)
		}
	}
	return false
}
