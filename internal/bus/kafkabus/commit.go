package kafkabus

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// commit stores the offsets of those partitions that are ours, in whatever generation that succeeds.
func (m *member) commit(ctx context.Context, offsets map[place]int64) error {
	doing := fmt.Sprintf("committing for the group %q", m.group)
	var pause pauser
	var last error
	for {
		s, err := m.live(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		todo := s.ahead(offsets)
		if len(todo) == 0 {
			return nil
		}
		err = m.tryCommit(ctx, s, todo)
		switch {
		case err == nil:
			s.noteCommitted(todo)
			m.bus.metrics.commits.WithLabelValues(m.group).Inc()
			return nil
		case ctx.Err() != nil:
			return ended(ctx, doing, last)
		case m.bus.ctx.Err() != nil:
			return fmt.Errorf("%s: %w", doing, bus.ErrClosed)
		case lostGeneration(err):
			s.abort() // the next heartbeat would find out too, later
		case permanent(err):
			return fmt.Errorf("%s: %w", doing, err)
		default:
			m.bus.refresh()
		}
		last = err
		pause.wait(ctx, m.bus.ctx)
	}
}

// live waits for a generation that has not ended.
func (m *member) live(ctx context.Context) (*session, error) {
	for {
		m.mu.Lock()
		s, changed := m.current, m.changed
		m.mu.Unlock()
		if s != nil && s.alive() {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.consumer.done:
			return nil, bus.ErrClosed
		case <-m.consumer.failed:
			return nil, m.consumer.err
		}
	}
}

func (m *member) tryCommit(ctx context.Context, s *session, todo map[string][]kafka.OffsetCommit) error {
	res, err := m.bus.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: m.group, GenerationID: int(s.gen.ID), MemberID: s.gen.MemberID, Topics: todo,
	})
	if err != nil {
		return err
	}
	for _, ps := range res.Topics {
		for _, p := range ps {
			if p.Error != nil {
				return p.Error
			}
		}
	}
	return nil
}

// lostGeneration tells whether the group has moved on without us noticing yet.
func lostGeneration(err error) bool {
	return errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) ||
		errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}
