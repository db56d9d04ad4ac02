package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"imwatch/internal/bus"
)

// consumer hands out what its readers fetch. What feeds it is a group's member or, without a group, Read.
type consumer struct {
	bus     *Bus
	group   string // empty without one
	in      chan chunk
	pending chunk         // the rest of what was taken from in; Fetch's own
	done    chan struct{} // closed by Close
	failed  chan struct{} // closed when err is set: there is no hope any more
	err     error
	once    sync.Once
	leave   func() // ends what feeds it and waits for that
	member  *member
	session *session // the latest; guarded by the bus's mu
}

// open registers a new consumer with the bus.
func (b *Bus) open(group string) (*consumer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, bus.ErrClosed
	}
	c := &consumer{bus: b, group: group, in: make(chan chunk), done: make(chan struct{}), failed: make(chan struct{})}
	b.consumers[c] = struct{}{}
	return c, nil
}

func (c *consumer) newSession() *session {
	s := newSession(c.group, c.bus.metrics.lag, c.bus.endsEvery)
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	c.session = s
	return s
}

// Fetch hands out messages; see bus.Consumer.
func (c *consumer) Fetch(ctx context.Context, limit int) ([]bus.Message, error) {
	if limit < 1 {
		return nil, fmt.Errorf("fetching: at most %d messages were asked for, it must be 1 or more", limit)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		select {
		case <-c.done:
			return nil, bus.ErrClosed
		default:
		}
		if ms := c.take(limit); len(ms) > 0 {
			return c.more(ms, limit), nil
		}
		select {
		case c.pending = <-c.in:
		case <-ctx.Done():
		case <-c.done:
		case <-c.failed:
			return nil, c.err
		}
	}
}

// take hands out the next of what is pending, unless its partition has been lost meanwhile.
func (c *consumer) take(limit int) []bus.Message {
	p := &c.pending
	if p.session == nil || !p.session.alive() {
		*p = chunk{}
		return nil
	}
	n := min(limit, len(p.ms))
	out := p.ms[:n:n]
	p.ms = p.ms[n:]
	last := out[n-1]
	p.session.handedOut(place{last.Topic, last.Partition}, last.Offset+1)
	c.bus.metrics.fetched.WithLabelValues(last.Topic, c.group).Add(float64(n))
	if len(p.ms) == 0 {
		*p = chunk{}
	}
	return out
}

// more adds what is at hand without waiting.
func (c *consumer) more(ms []bus.Message, limit int) []bus.Message {
	for len(ms) < limit {
		select {
		case c.pending = <-c.in:
			ms = append(ms, c.take(limit-len(ms))...)
		default:
			return ms
		}
	}
	return ms
}

// Commit stores offsets for the group; see bus.Consumer.
func (c *consumer) Commit(ctx context.Context, ms ...bus.Message) error {
	if c.member == nil {
		return errors.New("committing: this consumer reads without a group")
	}
	if len(ms) == 0 {
		return nil
	}
	return c.member.commit(ctx, farthest(ms))
}

// fail makes every Fetch from now on return err.
func (c *consumer) fail(err error) {
	c.err = err
	close(c.failed)
}

// Close stops reading and leaves the group; see bus.Consumer. It may be called more than once.
func (c *consumer) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.leave()
		c.bus.forget(c)
	})
	return nil
}

func (b *Bus) forget(c *consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.consumers, c)
}
