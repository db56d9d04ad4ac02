package membus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"imwatch/internal/bus"
)

// consumer is a bus.Consumer; all of it is guarded by the bus's lock.
type consumer struct {
	bus    *Bus
	group  *group // nil for a reader
	topics []string
	at     map[place]int64 // the next offset of each partition that is ours
	order  []place         // the keys of at
	turn   int             // whose turn it is to be looked at first
	done   chan struct{}   // closed by Close
	closed bool
	share  chan struct{} // closed when the group gives out its partitions anew; nil for a reader
	told   chan struct{} // the share that was told last, see claims
}

// Consume joins a group; see bus.Bus.
func (b *Bus) Consume(ctx context.Context, name string, topics ...string) (bus.Consumer, error) {
	c, err := b.join(ctx, name, topics...)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b *Bus) join(ctx context.Context, name string, topics ...string) (*consumer, error) {
	if name == "" || len(topics) == 0 {
		return nil, errors.New("joining a consumer group: a group name and a topic are needed")
	}
	if err := b.enter(ctx, "joining a consumer group"); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	for _, t := range topics {
		if _, err := b.partitions(t); err != nil {
			return nil, fmt.Errorf("joining the consumer group %q: %w", name, err)
		}
	}
	g := b.groups[name]
	if g == nil {
		g = &group{committed: map[place]int64{}}
		b.groups[name] = g
	}
	c := b.newConsumer()
	c.group, c.topics = g, topics
	g.members = append(g.members, c)
	b.rebalance(g)
	return c, nil
}

// Read reads a topic without a group; see bus.Bus.
func (b *Bus) Read(ctx context.Context, topic string, from bus.Position) (bus.Consumer, error) {
	return b.read(ctx, topic, from, false)
}

// ReadPartitions reads some partitions of a topic without a group; see bus.Bus.
func (b *Bus) ReadPartitions(ctx context.Context, topic string, from bus.Position) (bus.Consumer, error) {
	return b.read(ctx, topic, from, true)
}

func (b *Bus) read(ctx context.Context, topic string, from bus.Position, onlyNamed bool) (bus.Consumer, error) {
	if err := b.enter(ctx, "reading"); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	c := b.newConsumer()
	for p := range ps {
		off, named := from[p]
		if !named && onlyNamed {
			continue
		}
		if !named {
			off = -1
		}
		c.take(place{topic, p}, off)
	}
	return c, nil
}

func (b *Bus) newConsumer() *consumer {
	c := &consumer{bus: b, at: map[place]int64{}, done: make(chan struct{})}
	b.consumers[c] = struct{}{}
	return c
}

func (c *consumer) take(p place, offset int64) {
	c.at[p] = offset
	c.order = append(c.order, p)
}

// Fetch returns what is at hand, or waits; see bus.Consumer.
func (c *consumer) Fetch(ctx context.Context, limit int) ([]bus.Message, error) {
	if limit < 1 {
		return nil, fmt.Errorf("fetching: at most %d messages were asked for, it must be 1 or more", limit)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ms, changed, err := c.look(limit)
		if len(ms) > 0 || err != nil {
			return ms, err
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
		}
	}
}

// look takes what is there, and says what to wait for if that is nothing.
func (c *consumer) look(limit int) ([]bus.Message, <-chan struct{}, error) {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if c.closed {
		return nil, nil, bus.ErrClosed
	}
	var out []bus.Message
	for i := range c.order {
		at := c.order[(c.turn+i)%len(c.order)]
		p := &c.bus.topics[at.topic][at.partition]
		if off := c.at[at]; off < p.start || off > p.end() {
			c.at[at] = p.start // it is no longer there: from the oldest
		}
		ms := p.messages[c.at[at]-p.start:]
		ms = ms[:min(len(ms), limit-len(out))]
		for _, m := range ms {
			m.Key, m.Value = clone(m.Key), clone(m.Value)
			out = append(out, m)
		}
		c.at[at] += int64(len(ms))
	}
	c.turn++
	return out, c.bus.changed, nil
}

// Commit stores offsets for the group; see bus.Consumer.
func (c *consumer) Commit(ctx context.Context, ms ...bus.Message) error {
	if c.group == nil {
		return errors.New("committing: this consumer reads without a group")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if c.closed {
		return fmt.Errorf("committing: %w", bus.ErrClosed)
	}
	for _, m := range ms {
		at := place{m.Topic, m.Partition}
		if _, ours := c.at[at]; ours && m.Offset+1 > c.group.committed[at] {
			c.group.committed[at] = m.Offset + 1
		}
	}
	return nil
}

// Close leaves the group; see bus.Consumer. It may be called more than once.
func (c *consumer) Close() error {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	close(c.done)
	if c.share != nil {
		close(c.share)
	}
	delete(c.bus.consumers, c)
	if c.group != nil {
		c.group.members = slices.DeleteFunc(c.group.members, func(m *consumer) bool { return m == c })
		c.bus.rebalance(c.group)
	}
	return nil
}
