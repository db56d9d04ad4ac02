package shipper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"imwatch/event/deadletter"
	"imwatch/internal/bus"
	"imwatch/shipper/queue"
)

// lane is the way into one partition: what is for it goes one after the other, under an identity and numbers that the
// brokers recognise when it comes again. Its position is noted after each acknowledgement, so that after a kill no
// more than one entry is sent again.
type lane struct {
	place
	*sender
	slot  int            // where its position is noted
	at    queue.Position // the lane's goroutine's, once it runs
	known uint64         // up to which entry it had everything when it was opened
	begun bool           // it runs; the sender's

	mu   sync.Mutex // guards todo
	todo []work
	wake chan struct{} // holds a token when something was added

	undelivered atomic.Int32  // entries
	acked       atomic.Uint64 // at.Acked, for those who look
	ackedAt     atomic.Int64  // when that moved, Unix ns; 0: not since the start
}

// work is what an entry has for a lane.
type work struct {
	item   *item
	pieces []piece
}

// maxSequence is where a new identity is taken: the numbers have 31 bits, and brokers differ in how they begin again.
const maxSequence = 1 << 30

func (l *lane) add(w work) {
	l.undelivered.Add(1)
	l.mu.Lock()
	l.todo = append(l.todo, w)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run sends what is added until ctx ends.
func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		todo := l.todo
		l.todo = nil
		l.mu.Unlock()
		for _, w := range todo {
			if err := l.deliver(ctx, w); err != nil {
				if ctx.Err() == nil {
					l.fail(err)
				}
				return
			}
		}
		if len(todo) == 0 {
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
		}
	}
}

// deliver returns when an entry's share is acknowledged and noted. Its error is ctx's.
func (l *lane) deliver(ctx context.Context, w work) error {
	for _, p := range w.pieces {
		if err := l.send(ctx, w.item.number, p.sealed, p.count); err != nil {
			return err
		}
	}
	l.at.Acked = w.item.number
	l.acked.Store(w.item.number)
	l.ackedAt.Store(l.now().UnixNano())
	l.undelivered.Add(-1)
	if err := l.note(l.cfg.Queue.Fsync == FsyncAlways); err != nil {
		l.metrics.queueErrors.Inc()
		l.log.WithError(err).Error("how far a partition has come could not be noted; if the shipper is killed now, more than the brokers recognise is sent again")
	}
	w.item.acknowledged(l.progress)
	return nil
}

// note writes the lane's position down.
func (l *lane) note(durable bool) error {
	if l.positions == nil {
		return nil
	}
	err := l.positions.Save(l.slot, l.at)
	if err == nil && durable {
		err = l.positions.Sync()
	}
	return err
}

// send returns when a sealed batch of n messages is acknowledged. Its error is ctx's.
func (l *lane) send(ctx context.Context, entry uint64, sealed []byte, n int) error {
	for {
		if err := l.identify(ctx, entry); err != nil {
			return err
		}
		stamp := bus.Stamp{Identity: bus.Identity{ID: l.at.Producer, Epoch: l.at.Epoch}, Sequence: l.at.Next}
		err := l.insist(ctx, "producing to "+l.topic, func() error {
			return l.bus.ProduceSealed(ctx, l.topic, l.partition, stamp, sealed)
		})
		switch {
		case err == nil:
			l.at.Next += int32(n) //nolint:gosec // identify keeps it within 31 bits
			return nil
		case errors.Is(err, bus.ErrSequence):
			l.log.WithError(err).WithField("partition", l.partition).
				Error("the brokers do not recognise this shipper's batches any more; the last ones may be there twice, under the same ids")
			l.at.From = entry
			l.metrics.identities.WithLabelValues(identityRefused).Inc()
		case errors.Is(err, bus.ErrTooLarge):
			return l.split(ctx, entry, sealed)
		default:
			return err
		}
	}
}

// identify takes a new identity where one is due, and notes it durably before it is used: what is sent under it must
// be sent under it again.
func (l *lane) identify(ctx context.Context, entry uint64) error {
	if l.at.Next < maxSequence && (l.at.From == 0 || entry < l.at.From) {
		return nil
	}
	var id bus.Identity
	err := l.insist(ctx, "asking for a producer id", func() (err error) {
		id, err = l.bus.Identify(ctx)
		return err
	})
	if err != nil {
		return err
	}
	l.metrics.identities.WithLabelValues(identityTaken).Inc()
	l.at.Producer, l.at.Epoch, l.at.Next, l.at.From = id.ID, id.Epoch, 0, 0
	return l.insist(ctx, "noting a producer id", func() error { return l.note(true) })
}

// split sends a batch that the topic is too small for in halves, always the same ones, so that they are recognised as
// well. A single message goes to the dead letters.
func (l *lane) split(ctx context.Context, entry uint64, sealed []byte) error {
	ms, err := l.bus.Unseal(sealed)
	if err != nil {
		return fmt.Errorf("splitting a batch: %w", err)
	}
	if len(ms) == 1 {
		return l.refused(ctx, ms[0])
	}
	for half := len(ms) / 2; len(ms) > 0; half = min(half, len(ms)) {
		part, n, err := l.bus.Seal(nil, ms[:half], nil)
		if err != nil {
			return fmt.Errorf("splitting a batch: %w", err)
		}
		if err := l.send(ctx, entry, part, n); err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}

// refused keeps a message that the topic is too small for as a letter, in as many pieces as it takes.
func (l *lane) refused(ctx context.Context, m bus.Message) error {
	large := &bus.TooLargeError{Bytes: len(m.Key) + len(m.Value)}
	todo := []deadletter.Letter{tooLarge(m, large, l.now())}
	if l.topic == bus.TopicDeadLetter {
		letter, err := deadletter.Decode(m.Value)
		if err != nil {
			return fmt.Errorf("splitting a dead letter: %w", err)
		}
		todo = []deadletter.Letter{letter}
	} else {
		l.metrics.deadLetters.WithLabelValues(todo[0].Reason).Inc()
	}
	for len(todo) > 0 {
		err := l.insist(ctx, "producing a dead letter", func() error {
			err := l.bus.Produce(ctx, bus.TopicDeadLetter, letterMessage(todo[0]))
			if errors.Is(err, bus.ErrTooLarge) && len(todo[0].Original) < smallestLetter {
				return fmt.Errorf("a letter with %d bytes of a line is refused for its size", len(todo[0].Original)) // tried again
			}
			return err
		})
		switch {
		case err == nil:
			todo = todo[1:]
		case errors.Is(err, bus.ErrTooLarge):
			todo = append(halves(todo[0]), todo[1:]...)
		default:
			return err
		}
	}
	return nil
}

// smallestLetter is below what any broker takes: a letter that is refused at this size is not refused for its size.
const smallestLetter = 512

func halves(l deadletter.Letter) []deadletter.Letter {
	a, z := deadletter.Split(l)
	return []deadletter.Letter{a, z}
}
