package client

import (
	"time"

	"imwatch/im-server/protocol"
)

// receive reads from a connection until it ends. What others wait for they get at once, so that it does not stand behind a
// handler that waits for it; the rest goes to the handler.
func (c *Client) receive(l *link) error {
	for {
		e, err := l.read()
		if err != nil {
			return err
		}
		if err := c.route(l, e); err != nil {
			return err
		}
		if err := l.alive(); err != nil { // after the handler's inbox had room: we were not deaf by the server's fault
			return err
		}
	}
}

func (c *Client) route(l *link, e protocol.Envelope) error {
	switch p := e.Payload.(type) {
	case *protocol.Hello:
		c.answered(c.lastAuth(), reply{e: e})
		return nil
	case *protocol.Ack:
		c.acked(*p)
	case *protocol.Error:
		if c.refused(newRefused(p)) {
			return nil
		}
	case *protocol.Presence, *protocol.Devices:
		if c.answered(e.ID, reply{e: e}) {
			return nil
		}
	case nil:
		if e.Type == protocol.TypePing {
			return l.send(protocol.Envelope{Type: protocol.TypePong, ID: e.ID})
		}
		return nil
	}
	c.inbox.push(item{link: l, e: e}, true)
	return nil
}

// acked takes the server's ack to whatever it is for.
func (c *Client) acked(a protocol.Ack) {
	c.mu.Lock()
	c.out.refusals = 0
	o := c.out.settle(a.Ref)
	c.roomAnswered(a.Ref, nil)
	c.mu.Unlock()
	if o != nil {
		c.settled(o, result{ack: a})
	}
	c.answered(a.Ref, reply{ack: a})
	c.look()
}

// refused takes the server's error to whatever it is for, and says whether it will be tried again.
func (c *Client) refused(err *RefusedError) (again bool) {
	c.mu.Lock()
	now := c.opts.Now()
	o := c.out.byID[err.Ref]
	if again = err.again() && o != nil; again {
		c.out.pause(o, now, err.Wait, c.opts.Rand())
	} else if o != nil {
		c.out.settle(err.Ref)
	}
	again = c.roomAnswered(err.Ref, err) || again
	c.mu.Unlock()
	switch {
	case again:
		c.opts.Log.WithError(err).Debug("it will be tried again")
	case o != nil:
		c.settled(o, result{err: err})
	default:
		c.answered(err.Ref, reply{err: err})
	}
	c.look()
	return again
}

// settled tells of a message that the server has answered for good, and forgets it.
func (c *Client) settled(o *outgoing, r result) {
	if err := c.queue.Remove(o.id); err != nil {
		c.opts.Log.WithError(err).Warn("taking a message from the queue: it may be sent again after a restart")
	}
	c.resolve(o, r)
	c.mu.Lock()
	if c.idle != nil && len(c.out.byID) == 0 {
		close(c.idle)
		c.idle = nil
	}
	c.mu.Unlock()
}

func (c *Client) resolve(o *outgoing, r result) {
	if o.wait != nil {
		o.wait <- r
	}
	if o.done != nil {
		c.inbox.push(item{call: func() { o.done(r.ack, r.err) }}, false)
	}
}

// handle calls the handler with one thing after another until the client ends.
func (c *Client) handle() {
	var known seen
	var items []item
	for more := true; more; {
		if cap(items) > inboxMost/4 {
			items = nil // that was a burst
		}
		items, more = c.inbox.pop(items)
		for i := range items {
			c.give(&known, &items[i])
		}
	}
}

func (c *Client) give(known *seen, i *item) {
	h, e := &c.opts.Handler, i.e
	switch p := e.Payload.(type) {
	case *protocol.Message:
		if !known.again(p.From, e.ID) && h.Message != nil {
			h.Message(*p, e)
		}
		c.handled(i.link, e.Seq)
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
	case *protocol.Presence:
		if h.Presence != nil {
			h.Presence(*p)
		}
	case *protocol.Gap:
		if h.Gap != nil {
			h.Gap(Gap{To: p.To, Room: p.Room, Global: p.Global, Missed: p.Missed})
		}
	case nil:
		if i.call != nil {
			i.call()
		}
	}
}

// ackEvery is how many messages are handled before they are acknowledged without waiting.
const ackEvery = 16

// defaultAck is how long an acknowledgement waits at a server that does not say.
const defaultAck = 5 * time.Second

// handled notes that a message was handled, so that it is acknowledged soon. Numbers of another connection than the last
// mean nothing: another node may have numbered anew.
func (c *Client) handled(l *link, seq int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l != c.last || seq <= l.handled {
		return
	}
	l.handled, c.sess.seq = seq, seq
	switch {
	case l.handled-l.acked >= ackEvery:
		l.ackDue = c.opts.Now()
	case l.ackDue.IsZero():
		within := time.Duration(l.hello.AckMS) * time.Millisecond
		if within <= 0 {
			within = defaultAck
		}
		l.ackDue = c.opts.Now().Add(within)
	default:
		return
	}
	c.look()
}
