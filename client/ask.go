package client

import (
	"context"
	"fmt"
	"slices"

	"imwatch/im-server/protocol"
)

// reply is the answer to a question.
type reply struct {
	e   protocol.Envelope
	ack protocol.Ack
	err error
}

// ask sends a question on the connection that there is, and waits for the answer. It is not asked again.
func (c *Client) ask(ctx context.Context, t protocol.Type, p protocol.Payload) (reply, error) {
	l, id, err := c.current()
	if err != nil {
		return reply{}, err
	}
	e := protocol.Envelope{Type: t, ID: id, TS: c.opts.Now().UnixMilli(), Payload: p}
	if err := checked(&e); err != nil {
		return reply{}, err
	}
	wait := make(chan reply, 1)
	c.mu.Lock()
	if c.link != l {
		c.mu.Unlock()
		return reply{}, ErrNotConnected
	}
	c.asks[id] = wait
	if t == protocol.TypeAuth {
		c.auth = id
	}
	c.mu.Unlock()
	defer c.forgetAsk(id)
	if err := l.send(e); err != nil {
		return reply{}, err
	}
	select {
	case r := <-wait:
		return r, r.err
	case <-ctx.Done():
		return reply{}, fmt.Errorf("waiting for the answer to %s: %w", t, ctx.Err())
	}
}

func (c *Client) forgetAsk(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asks, id)
}

// answered gives an answer to who waits for it, and says whether somebody does.
func (c *Client) answered(id string, r reply) bool {
	c.mu.Lock()
	wait := c.asks[id]
	delete(c.asks, id)
	c.mu.Unlock()
	if wait != nil {
		wait <- r // has room
	}
	return wait != nil
}

func (c *Client) lastAuth() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.auth
}

// Presence asks whether users are there; at most protocol.MaxUsers. It ends what Watch began: a connection has one list.
func (c *Client) Presence(ctx context.Context, users ...string) ([]protocol.State, error) {
	return c.presence(ctx, false, users)
}

// Watch is [Client.Presence] that also tells Handler.Presence of changes, and after each reconnect of how things stand. The
// next Watch or Presence ends it.
func (c *Client) Watch(ctx context.Context, users ...string) ([]protocol.State, error) {
	return c.presence(ctx, true, users)
}

func (c *Client) presence(ctx context.Context, watch bool, users []string) ([]protocol.State, error) {
	c.mu.Lock()
	if c.watched, c.watchOn = nil, c.link; watch {
		c.watched = slices.Clone(users)
	}
	c.mu.Unlock()
	r, err := c.ask(ctx, protocol.TypePresence, &protocol.PresenceAsk{Users: users, Watch: watch})
	if err != nil {
		return nil, err
	}
	p, _ := r.e.Payload.(*protocol.Presence)
	return p.States, nil
}

// RoomPresence asks who is in a room that this client is in.
func (c *Client) RoomPresence(ctx context.Context, name string) (protocol.Presence, error) {
	r, err := c.ask(ctx, protocol.TypePresence, &protocol.PresenceAsk{Room: name})
	if err != nil {
		return protocol.Presence{}, err
	}
	p, _ := r.e.Payload.(*protocol.Presence)
	return *p, nil
}

// Devices gives the connections of the client's user.
func (c *Client) Devices(ctx context.Context) ([]protocol.Device, error) {
	r, err := c.ask(ctx, protocol.TypeDevices, nil)
	if err != nil {
		return nil, err
	}
	p, _ := r.e.Payload.(*protocol.Devices)
	return p.Devices, nil
}

// Kick ends connections of the client's own user, by device or by connection, and says how many.
func (c *Client) Kick(ctx context.Context, k protocol.Kick) (int64, error) {
	r, err := c.ask(ctx, protocol.TypeKick, &k)
	return r.ack.Delivered, err
}

// Refresh gives the server a new token, so that the connection outlives the old one. Without a connection there is
// nothing to do: Options.Token is called before the next.
func (c *Client) Refresh(ctx context.Context) error {
	if c.opts.Token == nil {
		return nil
	}
	token, err := c.opts.Token(ctx)
	if err != nil {
		return fmt.Errorf("getting token: %w", err)
	}
	_, err = c.ask(ctx, protocol.TypeAuth, &protocol.Auth{Token: token})
	return err
}
