package shipper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
)

// teller says what is true once entries are acknowledged: canaries, watermarks, the ledger, the checkpoint. While the
// broker is slow to take it, what comes later is put together with it.
type teller struct {
	*sender
	mu      sync.Mutex // guards the fields below
	pending change
	upTo    uint64 // the entry up to which it is acknowledged
	more    bool
	closed  bool
	wake    chan struct{}

	write  func(path string, c checkpoint) error // saveCheckpoint
	before uint64                                // up to where the checkpoint before the last one goes
	last   uint64
}

// add takes what an entry has moved, in the order of the entries. number is that of the last acknowledged one.
func (t *teller) add(c change, number uint64) {
	t.mu.Lock()
	t.pending.follow(c)
	t.upTo, t.more = max(t.upTo, number), true
	t.mu.Unlock()
	t.nudge()
}

// close makes run end when all is told.
func (t *teller) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.nudge()
}

func (t *teller) nudge() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *teller) take() (c change, upTo uint64, more, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	upTo, more, closed = t.upTo, t.more, t.closed
	t.more = false
	return t.pending.take(), upTo, more, closed
}

// run tells until close or ctx's end, and then writes the last checkpoint.
func (t *teller) run(ctx context.Context) error {
	due := time.NewTicker(t.cfg.CheckpointInterval)
	defer due.Stop()
	for ctx.Err() == nil {
		c, upTo, more, closed := t.take()
		if more {
			if t.tell(ctx, c) != nil {
				break // ctx has ended
			}
			t.ledger.acknowledge(&c, upTo)
			t.save(t.cfg.CheckpointInterval)
			continue
		}
		if closed {
			break
		}
		select {
		case <-t.wake:
		case <-due.C:
			t.save(t.cfg.CheckpointInterval)
		case <-ctx.Done():
		}
	}
	return t.checkpoint(0)
}

// save writes a checkpoint if one is due. Without it more is read again after a restart, but nothing is lost.
func (t *teller) save(interval time.Duration) {
	if err := t.checkpoint(interval); err != nil {
		t.log.WithError(err).Error("the checkpoint could not be written; after a restart more lines are sent again")
	}
}

// tell returns when the brokers have what is to be told. Its error is ctx's.
func (t *teller) tell(ctx context.Context, c change) error {
	if err := t.canary(ctx, c.canary); err != nil {
		return err
	}
	return t.watermarks(ctx, c.watermarks)
}

// canary sends one into every partition: each is a way of its own.
func (t *teller) canary(ctx context.Context, line []byte) error {
	if line == nil {
		return nil
	}
	err := t.insist(ctx, "sending a canary", func() error {
		return t.bus.Broadcast(ctx, bus.TopicLifecycle, bus.Message{Value: line})
	})
	if err == nil {
		t.metrics.canaries.Inc()
	}
	return err
}

// broadcasts is how many watermarks are on their way at once: one after the other, a hundred nodes would take longer
// than the second they have.
const broadcasts = 16

// watermarks tells the nodes' progress, behind everything that was acknowledged before.
func (t *teller) watermarks(ctx context.Context, marks []nodeState) error {
	told := marks[:0:0]
	for _, m := range marks {
		if !m.Until.IsZero() {
			told = append(told, m)
		}
	}
	return t.insist(ctx, "telling the watermarks", func() error {
		var wg sync.WaitGroup
		errs := make([]error, len(told))
		free := make(chan struct{}, broadcasts)
		now := t.now()
		for i, m := range told {
			free <- struct{}{}
			wg.Go(func() {
				errs[i] = t.bus.Broadcast(ctx, bus.TopicLifecycle, watermark(m, now))
				<-free
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// checkpoint writes down what was acknowledged, if the last time is at least interval ago, and lets go of what neither
// this checkpoint nor the one before needs.
func (t *teller) checkpoint(interval time.Duration) error {
	now := t.now()
	c, due := t.ledger.due(now, interval)
	if !due {
		return nil
	}
	err := t.write(t.cfg.Checkpoint, c)
	full := errors.Is(err, syscall.ENOSPC) && t.queue != nil
	if full { // nothing of the queue could be deleted without it
		if err = t.queue.Spend(); err == nil {
			err = t.write(t.cfg.Checkpoint, c)
		}
	}
	if err != nil {
		t.metrics.checkpoints.WithLabelValues("failed").Inc()
		return err
	}
	t.metrics.checkpoints.WithLabelValues("ok").Inc()
	t.ledger.save(now)
	if t.queue == nil {
		return nil
	}
	t.before, t.last = t.last, c.Entry
	if full {
		t.before = c.Entry
	}
	if err := errors.Join(t.queue.Release(t.before), t.queue.Keep()); err != nil {
		t.metrics.queueErrors.Inc()
		t.trouble(err, "what was acknowledged could not be deleted from the queue, or there is no room left on its disk")
	}
	return nil
}

// watermark is the record that says how far a node's lines have been shipped.
func watermark(n nodeState, now time.Time) bus.Message {
	var e event.Event
	e.Begin(event.ActionWatermark, now)
	e.SetText(event.FieldEventID, fmt.Sprintf("watermark-%s-%d", n.Name, n.Until.UnixNano()))
	e.SetText(event.FieldServiceNode, n.Name)
	e.SetText(event.FieldServiceName, "imwatch-shipper")
	e.SetTime(event.FieldPipelineShippedUntil, n.Until)
	return bus.Message{Key: []byte(n.Name), Value: e.AppendJSON(nil)}
}
