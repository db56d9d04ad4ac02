package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"imwatch/im-server/protocol"
)

// Publish sends a message and waits until the server has it safe. When the context ends before, the message stays queued
// and will be sent; otherwise an error means that it will not: *RefusedError, ErrTooBig, wal.ErrFull, or ErrClosed,
// after which a message whose queue is a file goes out with the next client of that file.
func (c *Client) Publish(ctx context.Context, p protocol.Publish) (protocol.Ack, error) {
	wait := make(chan result, 1)
	if _, err := c.enqueue(p, answer{wait: wait}); err != nil {
		return protocol.Ack{}, err
	}
	select {
	case r := <-wait:
		return r.ack, r.err
	case <-ctx.Done():
		return protocol.Ack{}, fmt.Errorf("waiting for the acknowledgement: %w", ctx.Err())
	}
}

// Send queues a message and returns when it is durable, on the disk where the queue is a file. It is sent as soon as
// there is a connection, in the order of its conversation, and again under the same id until the server has acknowledged
// it. done is told of the end, as Publish's result, one after another with the handler's calls; nil: nobody wants to
// know.
func (c *Client) Send(p protocol.Publish, done func(protocol.Ack, error)) (id string, err error) {
	return c.enqueue(p, answer{done: done})
}

// SendTo is [Client.Send] of any JSON value to a user.
func (c *Client) SendTo(user string, body json.RawMessage) (id string, err error) {
	return c.Send(protocol.Publish{To: user, Body: body}, nil)
}

// SendRoom is [Client.Send] of any JSON value to all in a room that this client has entered.
func (c *Client) SendRoom(room string, body json.RawMessage) (id string, err error) {
	return c.Send(protocol.Publish{Room: room, Body: body}, nil)
}

// Flush waits until the server has everything that is queued.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	if len(c.out.byID) == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle, n := c.idle, len(c.out.byID)
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-c.done:
		return c.whyEnded()
	case <-ctx.Done():
		return fmt.Errorf("waiting for %d messages to be acknowledged: %w", n, ctx.Err())
	}
}

// Queued is how many messages the server has not acknowledged.
func (c *Client) Queued() int { return c.queue.Len() }

// enqueue makes a message durable and gives it to the pump.
func (c *Client) enqueue(p protocol.Publish, a answer) (id string, err error) {
	// As it stands in the queue: what the server could not read never gets there. The copy is the client's own.
	data := protocol.JSON().Append(nil, &protocol.Envelope{Type: protocol.TypePublish, ID: "q", Payload: &p})
	own, err := stored(data)
	if err != nil {
		return "", fmt.Errorf("sending: %w", err)
	}
	c.mu.Lock()
	closing := c.closing || c.ended
	c.mu.Unlock()
	if closing {
		return "", ErrClosed
	}
	if id, err = c.queue.Add(data); err != nil {
		return "", fmt.Errorf("sending: %w", err)
	}
	c.mu.Lock()
	ended := c.ended
	if !ended {
		c.out.add(id, own, a)
	}
	c.mu.Unlock()
	if ended {
		return "", ErrClosed
	}
	c.look()
	return id, nil
}

// stored reads a message as it stands in the queue.
func stored(data []byte) (*protocol.Publish, error) {
	e, err := protocol.JSON().Decode(data, protocol.FromClient)
	if err != nil {
		return nil, err
	}
	p, ok := e.Payload.(*protocol.Publish)
	if !ok {
		return nil, fmt.Errorf("found an envelope of type %q", e.Type)
	}
	return p, nil
}

// load takes up what the process before has not got rid of.
func (c *Client) load() {
	for _, entry := range c.queue.Entries() {
		p, err := stored(entry.Data)
		if err != nil {
			c.opts.Log.WithError(err).WithField("id", entry.ID).Warn("passing over a message in the queue that cannot be read")
			continue
		}
		c.out.add(entry.ID, p, answer{})
	}
}

// checked refuses what the server would not be able to read.
func checked(e *protocol.Envelope) error {
	_, err := protocol.JSON().Decode(protocol.JSON().Append(nil, e), protocol.FromClient)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Type, err)
	}
	return nil
}

// Echo sends a JSON object that the server sends back; Handler.Echo gets it with the same id. It is not queued:
// ErrNotConnected and ErrClosed mean that nothing was sent.
func (c *Client) Echo(payload json.RawMessage) (id string, err error) {
	l, id, err := c.current()
	if err != nil {
		return id, err
	}
	return id, l.send(protocol.Envelope{Type: protocol.TypeEcho, ID: id, TS: c.opts.Now().UnixMilli(), Payload: &protocol.Echo{Body: payload}})
}

// current gives the connection that there is, and an id.
func (c *Client) current() (l *link, id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch id = c.nextID(); {
	case c.closing, c.ended:
		return nil, id, ErrClosed
	case c.link == nil:
		return nil, id, ErrNotConnected
	}
	return c.link, id, nil
}

// nextID gives an id for what is not queued. mu is held.
func (c *Client) nextID() string {
	c.serial++
	return "r-" + strconv.FormatInt(c.serial, 10)
}
