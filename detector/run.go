package detector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/internal/bus"
)

const (
	fetchSize  = 2000                   // messages at once: some milliseconds of work
	tickEvery  = 100 * time.Millisecond // how often wall time is looked at
	endsEvery  = time.Second            // how often the broker is asked where partitions end
	retryAfter = time.Second            // before the broker is tried again
	tellEvery  = 10 * time.Second       // gauges by rule, and warnings that would come with every event
)

// Run works until ctx ends and gives nil then, with everything acknowledged that is in the checkpoint. Any other
// error is one that waiting does not cure.
func (d *Detector) Run(ctx context.Context) error {
	if d.cfg.Shards > 0 {
		return d.runShared(ctx)
	}
	if err := d.restore(); err != nil {
		return fmt.Errorf("starting the detector: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	consumer, err := d.open(ctx)
	if err != nil || consumer == nil {
		return err
	}
	defer consumer.Close()
	d.saver = newSaver(d.deps.Checkpoint, d.cfg.CheckpointEvery, d.deps.Now)
	fetched := make(chan fetch)
	helpers.Go(func() { read(ctx, consumer, fetched) })
	endsFound := make(chan ends)
	helpers.Go(func() { d.watchEnds(ctx, endsFound) })
	d.health.start(d.deps.Now())
	helpers.Go(func() { d.sendCanaries(ctx, d.health) })
	if d.deps.Store != nil {
		d.queries = d.newQueries()
		helpers.Go(func() { d.queries.run(ctx) })
	}
	d.log.WithField("positions", d.positions).Info("detector is running")
	err = d.loop(ctx, fetched, endsFound)
	if ctx.Err() != nil {
		return d.close()
	}
	return errors.Join(err, d.saver.finish())
}

// open asks where the partitions begin and end and starts to read. It waits for a broker that is away and for the
// topic to be made; the consumer is nil when ctx ends first.
func (d *Detector) open(ctx context.Context) (bus.Consumer, error) {
	for told := false; ; told = true {
		consumer, err := d.tryOpen(ctx)
		if err == nil {
			return consumer, nil
		}
		if ctx.Err() != nil {
			return nil, nil //nolint:nilnil,nilerr // ended before there was anything to read
		}
		if errors.Is(err, bus.ErrClosed) {
			return nil, err
		}
		if !told {
			d.log.WithError(err).Warn("waiting for the broker")
		}
		wait(ctx, retryAfter)
	}
}

func (d *Detector) tryOpen(ctx context.Context) (bus.Consumer, error) {
	starts, err := d.deps.Bus.Starts(ctx, d.topic)
	if err != nil {
		return nil, fmt.Errorf("asking where %s begins: %w", d.topic, err)
	}
	found, err := d.deps.Bus.Ends(ctx, d.topic)
	if err != nil {
		return nil, fmt.Errorf("asking where %s ends: %w", d.topic, err)
	}
	for p := range found {
		switch at, known := d.positions[p]; {
		case !known:
			d.positions[p] = starts[p]
			d.engine.Hold(p) // its events must be read before anything later is evaluated
		case at < starts[p]:
			d.log.WithFields(map[string]any{"partition": p, "from": at, "to": starts[p]}).
				Error("messages were deleted before they were read: the topic's retention is too short")
			d.metrics.rejected.WithLabelValues("deleted").Add(float64(starts[p] - at))
			d.positions[p] = starts[p]
		}
	}
	d.ends = ends{found, d.deps.Now()}
	consumer, err := d.deps.Bus.Read(ctx, d.topic, d.positions)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.topic, err)
	}
	return consumer, nil
}

// fetch is what one Fetch gave.
type fetch struct {
	ms  []bus.Message
	err error
}

func read(ctx context.Context, c bus.Consumer, out chan<- fetch) {
	for {
		ms, err := c.Fetch(ctx, fetchSize)
		select {
		case out <- fetch{ms, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// ends says where partitions ended when the broker was asked.
type ends struct {
	at    bus.Position
	asked time.Time
}

// watchEnds asks the broker every second. While it does not answer nothing is told, and what was told grows old.
func (d *Detector) watchEnds(ctx context.Context, out chan<- ends) {
	for {
		wait(ctx, endsEvery)
		asked := d.deps.Now()
		at, err := d.deps.Bus.Ends(ctx, d.topic)
		if err == nil {
			select {
			case out <- ends{at, asked}:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// behind says whether a partition holds messages that were not read. It says yes when that is not known: then nobody
// in it may be called silent.
func (d *Detector) behind(now time.Time) func(int) bool {
	stale := now.Sub(d.ends.asked) > 5*endsEvery
	return func(p int) bool { return stale || d.positions[p] < d.ends.at[p] }
}

// loop is the one goroutine that touches the engine.
func (d *Detector) loop(ctx context.Context, fetched <-chan fetch, endsFound <-chan ends) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	look := &looks{every: d.cfg.ReloadEvery, next: d.deps.Now().Add(d.cfg.ReloadEvery)}
	d.tellRefused()
	for {
		select {
		case f := <-fetched:
			if f.err != nil {
				return fmt.Errorf("reading %s: %w", d.topic, f.err)
			}
			d.take(f.ms)
		case d.ends = <-endsFound:
			continue
		case <-tick.C:
			d.tick(look)
		case <-d.reloads:
			d.reload()
		case <-ctx.Done():
			return nil
		}
		if err := d.evaluate(ctx); err != nil {
			return err
		}
		d.save()
	}
}

// take gives messages to the engine.
func (d *Detector) take(ms []bus.Message) {
	wall := d.deps.Now()
	var ev event.Event
	for i := range ms {
		m := &ms[i]
		d.positions[m.Partition] = m.Offset + 1
		d.dirty = true
		if err := event.Decode(m.Value, &ev); err != nil {
			d.metrics.rejected.WithLabelValues(reasonOf(err)).Inc()
			continue
		}
		d.observe(m, &ev, wall)
	}
}

// reasonOf names why a record could not be decoded.
func reasonOf(err error) string {
	if fault, ok := errors.AsType[*event.DecodeError](err); ok {
		return fault.Reason
	}
	return "unreadable"
}

// tick does what depends on wall time.
func (d *Detector) tick(look *looks) {
	now := d.deps.Now()
	d.engine.Tick(now.UnixNano(), d.behind(now))
	d.watchHealth(now)
	if mark := d.engine.Watermark(); mark != window.None {
		d.metrics.mark.Store(mark)
		d.compare.judge(mark)
	}
	d.publish(now)
	if !now.Before(d.tellAt) {
		d.tellAt = now.Add(tellEvery)
		d.tellKeys()
	}
	if !look.due(now) {
		return
	}
	if s := d.book.signature(); s != d.signature {
		d.signature = s
		d.reload()
	}
}

// looks says when rule files are to be looked at.
type looks struct {
	every time.Duration
	next  time.Time
}

func (l *looks) due(now time.Time) bool {
	if l.every == 0 || now.Before(l.next) {
		return false
	}
	l.next = now.Add(l.every)
	return true
}

// close writes the last checkpoint. Alerts that could not be produced are made again from the one before.
func (d *Detector) close() error {
	if err := d.saver.finish(); err != nil {
		d.log.WithError(err).Error("the checkpoint could not be written")
	}
	if len(d.pending) > 0 || !d.dirty {
		return nil
	}
	if err := d.deps.Checkpoint.Save(d.checkpoint()); err != nil {
		return fmt.Errorf("ending the detector: %w", err)
	}
	return nil
}
