package membus

import (
	"context"
	"slices"

	"imwatch/internal/bus"
)

// claims is a bus.Claims: a group's consumer that is never asked for messages.
type claims struct{ *consumer }

// Claims joins a group without reading; see bus.Bus.
func (b *Bus) Claims(ctx context.Context, name, topic string) (bus.Claims, error) {
	c, err := b.join(ctx, name, topic)
	if err != nil {
		return nil, err
	}
	return claims{c}, nil
}

// Next waits for a new share; see bus.Claims.
func (c claims) Next(ctx context.Context) (bus.Claim, error) {
	for {
		if err := ctx.Err(); err != nil {
			return bus.Claim{}, err
		}
		claim, changed, err := c.look()
		if err != nil || claim.Lost != nil {
			return claim, err
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
		}
	}
}

// Commit stores positions for the group; see bus.Claims.
func (c claims) Commit(ctx context.Context, at bus.Position) error {
	ms := make([]bus.Message, 0, len(at))
	for p, offset := range at {
		ms = append(ms, bus.Message{Topic: c.topics[0], Partition: p, Offset: offset - 1})
	}
	return c.consumer.Commit(ctx, ms...)
}

// look gives the share, if it was not told yet, and says what to wait for if it was.
func (c claims) look() (claim bus.Claim, changed <-chan struct{}, err error) {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	switch {
	case c.closed:
		return claim, nil, bus.ErrClosed
	case c.told == c.share:
		return claim, c.share, nil
	}
	c.told = c.share
	claim = bus.Claim{Partitions: make([]int, 0, len(c.order)), Lost: c.share}
	for _, at := range c.order {
		claim.Partitions = append(claim.Partitions, at.partition)
	}
	slices.Sort(claim.Partitions)
	return claim, nil, nil
}
