package client

import (
	"context"
	"errors"
	"time"

	"imwatch/im-server/protocol"
)

// pumpBatch is how many messages are taken from the queue at one time.
const pumpBatch = 64

// pump sends what is due, whenever there is a connection, until the context ends.
func (c *Client) pump(ctx context.Context) {
	for {
		l, list, wait := c.due(c.opts.Now())
		for _, e := range list {
			if err := l.send(e); err != nil {
				c.unsent(l, e, err)
			}
		}
		if len(list) > 0 && ctx.Err() == nil {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-c.wake:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// unsent deals with an envelope that could not be written.
func (c *Client) unsent(l *link, e protocol.Envelope, err error) {
	if !errors.Is(err, ErrTooBig) {
		c.opts.Log.WithError(err).Debug("the connection does not take it")
		_ = l.ws.Close() // reading says that it is lost, if it has not yet
		return
	}
	c.mu.Lock()
	o := c.out.settle(e.ID)
	c.mu.Unlock()
	if o != nil {
		c.settled(o, result{err: err})
	}
}

// forever is a wait that something else ends.
const forever = 24 * time.Hour

// due gives what is to be sent now on the connection that there is, and how long nothing more will be.
func (c *Client) due(now time.Time) (l *link, list []protocol.Envelope, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, wait = c.link, forever
	if l == nil || c.closing {
		return nil, nil, wait
	}
	until := func(t time.Time) {
		if !t.IsZero() {
			wait = min(wait, max(0, t.Sub(now)))
		}
	}
	if !l.ackDue.IsZero() && !now.Before(l.ackDue) {
		if seq := l.unacked(); seq > 0 {
			list = append(list, ackOf(seq))
		}
	}
	list = append(list, c.roomsDue(l, now, until)...)
	if len(c.watched) > 0 && c.watchOn != l {
		c.watchOn = l
		list = append(list, protocol.Envelope{Type: protocol.TypePresence, ID: c.nextID(), Payload: &protocol.PresenceAsk{Users: c.watched, Watch: true}})
	}
	for _, o := range c.out.take(now, pumpBatch, c.roomHeld) {
		list = append(list, protocol.Envelope{Type: protocol.TypePublish, ID: o.id, TS: now.UnixMilli(), Payload: o.p})
	}
	until(l.ackDue)
	if len(c.out.ready) > 0 && now.Before(c.out.paused) {
		until(c.out.paused)
	}
	if beat := l.heartbeat(); beat > 0 {
		// Before the watchdog gives up, the server is asked whether it is there.
		quiet := time.Unix(0, l.heard.Load())
		if l.pinged.After(quiet) {
			quiet = l.pinged
		}
		if time.Since(quiet) >= beat {
			quiet = time.Now()
			l.pinged = quiet
			list = append(list, protocol.Envelope{Type: protocol.TypePing})
		}
		wait = min(wait, max(0, beat-time.Since(quiet)))
	}
	return l, list, wait
}
