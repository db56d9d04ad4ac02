package detector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/shard"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// flushEvery is how long a shard may not know how far a node has come whose events go to others, and how often routers
// commit.
const flushEvery = 250 * time.Millisecond

// routing is the router of this process: from the partitions of the source that its group gives it to the shards.
type routing struct {
	s        *sharing
	router   *shard.Router
	consumer bus.Consumer
	done     map[int]int64 // offset of the last message routed since the last commit, by partition
}

// route works until ctx ends. An error is one that waiting does not cure.
func (s *sharing) route(ctx context.Context) error {
	consumer, err := s.consume(ctx)
	if err != nil || consumer == nil {
		return err
	}
	defer consumer.Close()
	r := &routing{s: s, consumer: consumer, done: map[int]int64{}}
	fetched := make(chan fetch)
	reading := make(chan struct{})
	defer func() { <-reading }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(reading)
		read(ctx, consumer, fetched)
	}()
	err = r.loop(ctx, fetched)
	if ctx.Err() != nil {
		return nil // what was routed and not committed is routed again, and passed over
	}
	return err
}

// consume joins the routers' group; nil when ctx ends first.
func (s *sharing) consume(ctx context.Context) (bus.Consumer, error) {
	for {
		c, err := s.d.deps.Bus.Consume(ctx, shard.RouterGroup(s.n), s.d.topic)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return nil, nil //nolint:nilnil,nilerr // ended before there was anything to read
		case errors.Is(err, bus.ErrClosed):
			return nil, err
		}
		s.d.log.WithError(err).Warn("events cannot be routed yet: trying again")
		wait(ctx, retryAfter)
	}
}

func (r *routing) loop(ctx context.Context, fetched <-chan fetch) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case set := <-r.s.routed:
			err = r.setRules(set)
		case f := <-r.ready(fetched):
			if err = f.err; err == nil {
				r.take(f.ms)
				err = r.send(ctx)
			}
		case <-tick.C:
			err = r.commit(ctx)
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return fmt.Errorf("routing events: %w", err)
		}
	}
}

// ready gives what is read once there are rules to route by.
func (r *routing) ready(fetched <-chan fetch) <-chan fetch {
	if r.router == nil {
		return nil
	}
	return fetched
}

func (r *routing) setRules(set *ruleset) error {
	routes, err := engine.NewRoutes(set.rules, r.s.n)
	if err != nil {
		return err
	}
	if r.router == nil {
		r.router = shard.NewRouter(routes, r.s.n)
	} else {
		r.router.SetRoutes(routes)
	}
	return nil
}

// take routes messages.
func (r *routing) take(ms []bus.Message) {
	wall := r.s.d.deps.Now()
	m := r.s.d.metrics
	var ev event.Event
	copies := 0
	for i := range ms {
		msg := &ms[i]
		r.done[msg.Partition] = msg.Offset
		if err := event.Decode(msg.Value, &ev); err != nil {
			m.rejected.WithLabelValues(reasonOf(err)).Inc()
			continue
		}
		switch {
		case canary.Is(&ev):
			r.router.Canary(msg.Partition, msg.Offset, msg.Value)
		case ev.IsWatermark():
			if !r.router.Watermark(msg.Partition, msg.Offset, &ev, wall.UnixNano()) {
				m.rejected.WithLabelValues("watermark").Inc()
			}
		case ev.Time().Sub(wall) > event.MaxAhead:
			m.rejected.WithLabelValues("ahead").Inc()
		default:
			copies += r.router.Event(msg.Partition, msg.Offset, msg.Value, &ev, wall.UnixNano())
			m.events.Inc()
		}
	}
	r.s.metrics.copies.Add(float64(copies))
}

// commit tells the shards what they do not know yet and commits.
func (r *routing) commit(ctx context.Context) error {
	if r.router == nil || len(r.done) == 0 {
		return nil
	}
	r.router.Flush(r.s.d.deps.Now().UnixNano())
	if err := r.send(ctx); err != nil {
		return err
	}
	var ms []bus.Message
	for p, offset := range r.done {
		ms = append(ms, bus.Message{Topic: r.s.d.topic, Partition: p, Offset: offset})
	}
	if err := r.consumer.Commit(ctx, ms...); err != nil {
		return err
	}
	clear(r.done)
	return nil
}

// send writes what was made until it is acknowledged.
func (r *routing) send(ctx context.Context) error {
	ms := r.router.Take()
	for len(ms) > 0 {
		err := r.s.d.deps.Bus.ProduceInto(ctx, shard.Topic(r.s.n), ms...)
		tooLarge, isLarge := errors.AsType[*bus.TooLargeError](err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil, errors.Is(err, bus.ErrClosed):
			return err
		case isLarge:
			if ms, err = r.split(ms, tooLarge.Index); err != nil {
				return err
			}
		default:
			r.s.d.log.WithError(err).Warn("events could not be routed: trying again")
			wait(ctx, retryAfter)
		}
	}
	return nil
}

// split puts halves in the place of a message that is too large for the broker. One that holds a single event cannot be
// halved and is told: the event came through the same broker, just within its limit.
func (r *routing) split(ms []bus.Message, i int) ([]bus.Message, error) {
	frames, err := shard.Split(ms[i].Value)
	if err != nil {
		return nil, err
	}
	if frames == nil {
		r.s.d.metrics.rejected.WithLabelValues("too_large").Inc()
		r.s.d.log.WithField("bytes", len(ms[i].Value)).Error("an event is too large for the broker once it is routed: it is not evaluated")
	}
	var halves []bus.Message
	for _, f := range frames {
		halves = append(halves, bus.Message{Partition: ms[i].Partition, Value: f})
	}
	return slices.Replace(slices.Clone(ms), i, i+1, halves...), nil
}
