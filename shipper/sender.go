package shipper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
)

// sender brings batches to the bus, one after the other, and notes what was acknowledged. Owned by its goroutine.
type sender struct {
	cfg     Config
	log     logrus.FieldLogger
	now     func() time.Time
	bus     bus.Producer
	metrics *metrics
	ledger  *ledger
	in      <-chan *batch
	free    chan<- *batch
	warned  time.Time
}

// Waits between attempts: quick at first, since most troubles are short, and never long enough to be noticed when the
// broker is back.
const (
	firstWait = 50 * time.Millisecond
	longWait  = 2 * time.Second
)

// run sends until in is closed or ctx ends, and then writes the last checkpoint.
func (s *sender) run(ctx context.Context) error {
	var err error
	for b := range s.in {
		if err == nil {
			err = s.deliver(ctx, b)
		}
		b.reset()
		select {
		case s.free <- b:
		default:
		}
	}
	return errors.Join(err, s.checkpoint(0))
}

// deliver returns when the batch is acknowledged and noted. Its error is ctx's.
func (s *sender) deliver(ctx context.Context, b *batch) error {
	start := s.now()
	if err := s.records(ctx, b); err != nil {
		return err
	}
	if err := s.letters(ctx, b.letters); err != nil {
		return err
	}
	if len(b.records)+len(b.letters) > 0 {
		s.metrics.produce.Observe(s.now().Sub(start).Seconds())
	}
	if err := s.canary(ctx, b.canary); err != nil {
		return err
	}
	if err := s.watermarks(ctx, b.watermarks); err != nil {
		return err
	}
	s.count(b)
	s.ledger.acknowledge(b)
	if err := s.checkpoint(s.cfg.CheckpointInterval); err != nil {
		s.log.WithError(err).Error("the checkpoint could not be written; after a restart more lines are sent again")
	}
	return nil
}

func (s *sender) count(b *batch) {
	bytes := 0
	for i := range b.records {
		bytes += len(b.records[i].Value)
	}
	s.metrics.bytes.Add(float64(bytes))
	s.metrics.lines.WithLabelValues(resultShipped).Add(float64(len(b.records)))
	s.metrics.lines.WithLabelValues(resultEmpty).Add(float64(b.empty))
	s.metrics.lines.WithLabelValues(resultDeadLetter).Add(float64(len(b.letters)))
	for i := range b.letters {
		s.metrics.deadLetters.WithLabelValues(b.letters[i].Reason).Inc()
	}
}

// records produces the batch's records. One that the broker will never take because of its size becomes a letter.
func (s *sender) records(ctx context.Context, b *batch) error {
	for len(b.records) > 0 {
		err := s.produce(ctx, bus.TopicLifecycle, b.records)
		if err == nil {
			return nil
		}
		large, ok := errors.AsType[*bus.TooLargeError](err)
		if !ok {
			return err
		}
		b.letters = append(b.letters, s.tooLarge(b.records[large.Index], large))
		b.records = slices.Delete(b.records, large.Index, large.Index+1)
	}
	return nil
}

func (s *sender) tooLarge(m bus.Message, why error) deadletter.Letter {
	l := deadletter.Letter{At: s.now(), Stage: "shipper", Reason: "broker_limit", Detail: why.Error(), Original: slices.Clone(m.Value)}
	var e event.Event
	if event.Decode(m.Value, &e) == nil {
		l.ID, l.File, l.Offset = e.ID(), e.Text(event.FieldLogFilePath), e.Int(event.FieldLogOffset)
	}
	return l
}

// smallestLetter is below what any broker takes: a letter that is refused at this size is not refused for its size.
const smallestLetter = 512

// letters produces dead letters, cut into pieces where the broker takes no larger ones.
func (s *sender) letters(ctx context.Context, letters []deadletter.Letter) error {
	for todo := slices.Clone(letters); len(todo) > 0; {
		ms := make([]bus.Message, len(todo))
		for i := range todo {
			ms[i] = bus.Message{Key: []byte(todo[i].ID), Value: todo[i].AppendJSON(nil)}
		}
		err := s.produce(ctx, bus.TopicDeadLetter, ms)
		if err == nil {
			return nil
		}
		large, ok := errors.AsType[*bus.TooLargeError](err)
		if !ok {
			return err
		}
		l := todo[large.Index]
		if len(l.Original) < smallestLetter {
			return s.insist(ctx, "producing a dead letter", func() error {
				if err := s.bus.Produce(ctx, bus.TopicDeadLetter, ms...); err != nil {
					return fmt.Errorf("a letter of %d bytes: %w", large.Bytes, context.Cause(ctx))
				}
				return nil
			})
		}
		a, z := deadletter.Split(l)
		todo = slices.Replace(todo, large.Index, large.Index+1, a, z)
	}
	return nil
}

// produce tries until the messages are acknowledged, ctx ends, or one is too large.
func (s *sender) produce(ctx context.Context, topic string, ms []bus.Message) error {
	return s.insist(ctx, "producing to "+topic, func() error { return s.bus.Produce(ctx, topic, ms...) })
}

func (s *sender) insist(ctx context.Context, doing string, do func() error) error {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := do()
		if err == nil || errors.Is(err, bus.ErrTooLarge) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		}
		s.metrics.failures.Inc()
		if now := s.now(); now.Sub(s.warned) >= 10*time.Second {
			s.warned = now
			s.log.WithError(err).Warnf("%s failed; it is repeated until it succeeds, and no more is read meanwhile", doing)
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)): // spreads attempts, keeps no secret
		case <-ctx.Done():
		}
	}
}

// canary sends one into every partition: each is a way of its own.
func (s *sender) canary(ctx context.Context, line []byte) error {
	if line == nil {
		return nil
	}
	err := s.insist(ctx, "sending a canary", func() error {
		return s.bus.Broadcast(ctx, bus.TopicLifecycle, bus.Message{Value: line})
	})
	if err == nil {
		s.metrics.canaries.Inc()
	}
	return err
}

// broadcasts is how many watermarks are on their way at once: one after the other, a hundred nodes would take longer
// than the second they have.
const broadcasts = 16

// watermarks tells the nodes' progress, behind everything that was produced before.
func (s *sender) watermarks(ctx context.Context, marks []nodeState) error {
	told := marks[:0:0]
	for _, m := range marks {
		if !m.Until.IsZero() {
			told = append(told, m)
		}
	}
	return s.insist(ctx, "telling the watermarks", func() error {
		var wg sync.WaitGroup
		errs := make([]error, len(told))
		free := make(chan struct{}, broadcasts)
		now := s.now()
		for i, m := range told {
			free <- struct{}{}
			wg.Go(func() {
				errs[i] = s.bus.Broadcast(ctx, bus.TopicLifecycle, watermark(m, now))
				<-free
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
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

// checkpoint writes down what was acknowledged, if the last time is at least interval ago.
func (s *sender) checkpoint(interval time.Duration) error {
	now := s.now()
	c, due := s.ledger.due(now, interval)
	if !due {
		return nil
	}
	if err := saveCheckpoint(s.cfg.Checkpoint, c); err != nil {
		s.metrics.checkpoints.WithLabelValues("failed").Inc()
		return err
	}
	s.metrics.checkpoints.WithLabelValues("ok").Inc()
	s.ledger.save(now)
	return nil
}
