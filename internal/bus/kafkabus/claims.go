package kafkabus

import (
	"context"
	"slices"

	"imwatch/internal/bus"
)

// claims is a membership that reads nothing.
type claims struct {
	member *member
	topic  string
	told   *session // the one that Next has returned last
}

// Claims joins a consumer group without reading; see bus.Bus.
func (b *Bus) Claims(ctx context.Context, group, topic string) (bus.Claims, error) {
	m, err := b.join(ctx, group, true, topic)
	if err != nil {
		return nil, err
	}
	return &claims{member: m, topic: topic}, nil
}

// Next waits for a generation that was not told yet; see bus.Claims.
func (c *claims) Next(ctx context.Context) (bus.Claim, error) {
	for {
		if err := ctx.Err(); err != nil {
			return bus.Claim{}, err
		}
		select {
		case <-c.member.consumer.done:
			return bus.Claim{}, bus.ErrClosed
		default:
		}
		c.member.mu.Lock()
		s, changed := c.member.current, c.member.changed
		c.member.mu.Unlock()
		if s != nil && s != c.told && s.alive() {
			c.told = s
			return s.claim(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-c.member.consumer.done:
		case <-c.member.consumer.failed:
			return bus.Claim{}, c.member.consumer.err
		}
	}
}

// Commit stores positions for the group; see bus.Claims.
func (c *claims) Commit(ctx context.Context, at bus.Position) error {
	offsets := make(map[place]int64, len(at))
	for p, offset := range at {
		offsets[place{c.topic, p}] = offset
	}
	return c.member.commit(ctx, offsets)
}

// Close leaves the group; see bus.Claims. It may be called more than once.
func (c *claims) Close() error { return c.member.consumer.Close() }

func (s *session) claim() bus.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := bus.Claim{Partitions: make([]int, 0, len(s.committed)), Lost: s.ended}
	for at := range s.committed {
		out.Partitions = append(out.Partitions, at.partition)
	}
	slices.Sort(out.Partitions)
	return out
}
