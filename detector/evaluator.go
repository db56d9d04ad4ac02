package detector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/shard"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// Why a shard ends.
var (
	errDropped = errors.New("the shard is another's")      // nothing is written
	errStopped = errors.New("the detector is being ended") // the state is written, for whoever takes over
)

// evaluator evaluates one shard, in a goroutine of its own.
type evaluator struct {
	s      *sharing
	d      *Detector
	number int
	ctx    context.Context
	end    context.CancelCauseFunc
	ended  chan struct{}
	wake   chan struct{} // control was set

	mu     sync.Mutex
	want   control                 // guarded by mu
	status status                  // guarded by mu
	shown  map[string]engine.Usage // of status, what the process has added up; its loop's

	// What follows belongs to run.

	rules    *ruleset
	paused   bool
	engine   *engine.Engine
	filter   shard.Filter
	position int64 // in the topic of shards
	pending  []*event.Alert
	rejected rejections // of the first shard, which tells of them
	health   *health    // of the first shard, nil of others
	usedAt   time.Time  // when usage was taken last
	overflow map[string]int
	log      *shard.Changelog
	rank     int64 // of the state being written
	saver    *saver
	dirty    bool
	foreign  bool // the last frame was routed by other rules
}

// control is what the loop of the process asks of a shard.
type control struct {
	paused bool // nothing is read or told: the group is settling whose the shard is
	rules  *ruleset
}

// status is what a shard tells of itself.
type status struct {
	watermark int64
	usage     map[string]engine.Usage
	overflow  map[string]int
	bytes     int // of the state last written
	unread    int64
	position  int64 // in the topic of shards; 0: nothing was read
	foreign   bool
}

func newEvaluator(s *sharing, number int) *evaluator {
	e := &evaluator{
		s: s, d: s.d, number: number, ended: make(chan struct{}), wake: make(chan struct{}, 1),
		rules: s.rules, want: control{rules: s.rules}, status: status{watermark: window.None}, rejected: rejections{}, overflow: map[string]int{},
		log: shard.NewChangelog(s.d.deps.Bus, shard.StateTopic(s.n), number, fmt.Sprintf("shard-%d", number)),
	}
	e.ctx, e.end = context.WithCancelCause(context.Background())
	e.saver = newSaver(e, s.d.cfg.CheckpointEvery, s.d.deps.Now)
	e.saver.rate = stateRate
	if number == 0 {
		e.health = newHealth(s.d.cfg, s.d.metrics)
	}
	return e
}

// stateRate is how many bytes of states a shard writes in a second on average: replaying some seconds is cheaper than
// writing a large state every second.
const stateRate = 2 << 20

// set asks something of the shard. Safe for concurrent use, as wanted is.
func (e *evaluator) set(c control) {
	e.mu.Lock()
	e.want = c
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *evaluator) wanted() control {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.want
}

// Load is for Checkpointer.
func (e *evaluator) Load() ([]byte, error) { return e.log.Load(e.ctx) }

// Save is for Checkpointer. What is written while the shard ends may come through: it is as good as any.
func (e *evaluator) Save(state []byte) error { return e.log.Save(e.ctx, e.rank, state) }

// run works until the shard is ended. An error is one that waiting does not cure.
func (e *evaluator) run() error {
	defer close(e.ended)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	consumer, err := e.open()
	if err != nil || consumer == nil {
		return err
	}
	defer consumer.Close()
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	fetched := make(chan fetch)
	helpers.Go(func() { read(ctx, consumer, fetched) })
	if e.health != nil {
		e.health.start(e.d.deps.Now())
		helpers.Go(func() { e.d.sendCanaries(ctx, e.health) })
	}
	err = e.loop(fetched)
	cancel()
	return errors.Join(err, e.close())
}

// open restores the state and begins to read behind it; the consumer is nil when the shard was ended meanwhile.
func (e *evaluator) open() (bus.Consumer, error) {
	began := e.d.deps.Now()
	for {
		consumer, err := e.tryOpen()
		switch {
		case err == nil:
			e.s.metrics.restore.Observe(e.d.deps.Now().Sub(began).Seconds())
			return consumer, nil
		case e.ctx.Err() != nil:
			return nil, nil //nolint:nilnil,nilerr // ended before there was anything to read
		case errors.Is(err, bus.ErrClosed):
			return nil, err
		}
		e.d.log.WithError(err).WithField("shard", e.number).Warn("the shard is not restored yet: trying again")
		wait(e.ctx, retryAfter)
	}
}

func (e *evaluator) tryOpen() (bus.Consumer, error) {
	if err := e.restore(); err != nil {
		return nil, err
	}
	topic := shard.Topic(e.s.n)
	starts, err := e.d.deps.Bus.Starts(e.ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("asking where %s begins: %w", topic, err)
	}
	if lost := starts[e.number] - e.position; lost > 0 {
		if e.position > 0 {
			e.d.log.WithFields(map[string]any{"shard": e.number, "from": e.position, "to": starts[e.number]}).
				Error("messages were deleted before they were read: the topic's retention is too short")
			e.d.metrics.rejected.WithLabelValues("deleted").Add(float64(lost))
		}
		e.position = starts[e.number]
	}
	consumer, err := e.d.deps.Bus.ReadPartitions(e.ctx, topic, bus.Position{e.number: e.position})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", topic, err)
	}
	return consumer, nil
}

func (e *evaluator) loop(fetched <-chan fetch) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	e.tellRefused()
	for {
		messages := fetched
		if e.paused {
			messages = nil
		}
		select {
		case f := <-messages:
			if f.err != nil {
				return fmt.Errorf("reading shard %d: %w", e.number, f.err)
			}
			e.take(f.ms)
		case <-tick.C:
			if e.paused {
				continue
			}
			e.tick()
		case <-e.wake:
			e.obey()
			continue
		case <-e.ctx.Done():
			return nil
		}
		if err := e.evaluate(); err != nil {
			return err
		}
		e.save()
	}
}

// obey does what is asked of the shard.
func (e *evaluator) obey() {
	want := e.wanted()
	e.paused = want.paused
	if want.rules == e.rules {
		return
	}
	if err := e.engine.SetRules(want.rules.rules); err != nil { // the router's rules could be made of them: it cannot be
		e.d.log.WithError(err).WithField("shard", e.number).Error("rules could not be set: those before go on running")
		return
	}
	e.rules = want.rules
	e.tellRefused()
	e.dirty = true
}

// tellRefused makes the alerts about rules that were refused, or no longer are. One shard speaks for all.
func (e *evaluator) tellRefused() {
	if e.number != 0 {
		return
	}
	if alerts := e.rejected.update(e.rules.refused, e.d.deps.Now()); len(alerts) > 0 {
		e.pending = append(e.pending, alerts...)
		e.dirty = true
	}
}

// take gives frames to the engine.
func (e *evaluator) take(ms []bus.Message) {
	wall := e.d.deps.Now().UnixNano()
	var ev event.Event
	for i := range ms {
		e.position = ms[i].Offset + 1
		e.dirty = true
		frame, err := shard.Open(string(ms[i].Value))
		if err == nil {
			e.foreign = frame.Version != e.rules.version
			for r, ok := frame.Next(); ok; r, ok = frame.Next() {
				e.record(&r, &ev, wall)
			}
			err = frame.Err()
		}
		if err != nil {
			e.d.metrics.rejected.WithLabelValues("frame").Inc()
			e.d.log.WithError(err).WithField("shard", e.number).WithField("offset", ms[i].Offset).Error("a message to the shard cannot be read")
		}
	}
}

func (e *evaluator) record(r *shard.Record, ev *event.Event, wall int64) {
	if !e.filter.New(*r) {
		return
	}
	switch r.Kind {
	case shard.Event:
		e.event(r, ev, wall)
	case shard.Shipped:
		e.engine.Shipped(r.Partition, r.Node, r.At, wall)
	case shard.Heard:
		e.engine.Heard(r.Partition, r.Node, r.At, wall)
	case shard.Began:
		e.engine.Began(r.Partition, r.At)
	default:
	}
}

func (e *evaluator) event(r *shard.Record, ev *event.Event, wall int64) {
	if err := event.DecodeString(r.Line, ev); err != nil { // the router could: it cannot be
		e.d.metrics.rejected.WithLabelValues("frame").Inc()
		return
	}
	if e.health != nil && canary.Is(ev) {
		e.health.read(ev, []byte(r.Line))
		return
	}
	if ev.ID() == "" {
		ev.SetText(event.FieldEventID, originOf(e.d.topic, r.Partition, r.Offset))
	}
	if e.engine.Observe(r.Partition, ev, wall) == engine.Repeat {
		e.d.metrics.repeats.Inc()
	}
}

// tick does what depends on wall time.
func (e *evaluator) tick() {
	now := e.d.deps.Now()
	o := e.s.outlook.Load()
	e.engine.Tick(now.UnixNano(), o.behind(now, e.number, e.position))
	e.watchHealth(now, o)
	st := status{watermark: e.engine.Watermark(), unread: o.unread(e.number, e.position), position: e.position, foreign: e.foreign}
	if now.Sub(e.usedAt) >= publishEvery {
		e.usedAt, st.usage = now, e.engine.Usage()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	st.bytes, st.overflow = e.status.bytes, e.status.overflow
	if st.usage == nil {
		st.usage = e.status.usage
	}
	if len(e.overflow) > 0 {
		if st.overflow == nil {
			st.overflow = map[string]int{}
		}
		for id, n := range e.overflow {
			st.overflow[id] += n
		}
		clear(e.overflow)
	}
	e.status = st
}

// watchHealth judges the health of what all detectors are together, as far as one of them can tell: the first shard's
// owner speaks for all.
func (e *evaluator) watchHealth(now time.Time, o *outlook) {
	if e.health == nil {
		return
	}
	v := vitals{clocks: e.engine.Clocks(), unread: true}
	if o != nil {
		behind := o.behind(now, e.number, e.position)
		v.asked, v.unread = o.asked, false
		for p := range o.routed {
			v.unread = v.unread || behind(p)
		}
	}
	if q := e.s.asked.Load(); q != nil {
		v.failing, v.since = q.failingLongest()
	}
	if alerts := e.health.tick(now, v); len(alerts) > 0 {
		e.pending = append(e.pending, alerts...)
		e.dirty = true
	}
}

// told gives the status; what it says of overflow is not said again. Safe for concurrent use.
func (e *evaluator) told() status {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.status
	e.status.overflow = nil
	return st
}

// evaluate evaluates what the watermark has passed and produces the state changes.
func (e *evaluator) evaluate() error {
	began := e.d.deps.Now()
	alerts := e.engine.Advance()
	e.d.metrics.evaluation.Observe(e.d.deps.Now().Sub(began).Seconds())
	for _, a := range alerts {
		if a.RuleID != engine.SourceLate || e.number == 0 { // all shards see it, one speaks
			e.pending = append(e.pending, a)
		}
	}
	if len(e.pending) == 0 {
		return nil
	}
	if err := e.d.produce(e.ctx, e.pending); err != nil {
		if e.ctx.Err() != nil {
			return nil //nolint:nilerr // they stay pending, so no state will hold them as told
		}
		return err
	}
	for _, a := range e.pending {
		e.d.metrics.alerts.WithLabelValues(a.RuleID, a.State).Inc()
	}
	e.d.board.told(e.pending)
	e.d.compare.streamed(e.pending)
	e.pending, e.dirty = nil, true
	return nil
}
