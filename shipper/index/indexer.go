package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// Source is what the indexer needs of a bus.
type Source interface {
	Consume(ctx context.Context, group string, topics ...string) (bus.Consumer, error)
}

// Deps is what an Indexer works with.
type Deps struct {
	Bus        Source                // needed
	Store      store.Writer          // where documents go; this or Sink is needed
	Sink       Sink                  // where events go in another form
	Search     Counter               // of the store; nil: how long it takes until a search finds what was stored is not measured
	Log        logrus.FieldLogger    // needed; diagnostics
	Registerer prometheus.Registerer // nil: the metrics are not shown
	Now        func() time.Time      // nil: time.Now
}

// Indexer brings events from the bus into the store. Make one with New, run it once.
type Indexer struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	writer  writer
}

// writer is what brings batches to where they belong.
type writer interface {
	size() int                                            // bytes that the next batch should have
	room(bytes, flying, batches int) bool                 // whether a batch may go while others are on their way
	every() time.Duration                                 // how often it wants to be called without a batch; 0: never
	write(context.Context, *batch) ([]bus.Message, error) // gives what may be committed; its error is the end
}

// New checks the configuration and makes the metrics known.
func New(cfg Config, deps Deps) (*Indexer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the indexer: %w", err)
	}
	if deps.Bus == nil || (deps.Store == nil) == (deps.Sink == nil) || deps.Log == nil {
		return nil, errors.New("making an indexer: a bus, a store or a sink, and a logger are needed")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	m := newMetrics(deps.Now, newBacklog(cfg, deps))
	if deps.Search != nil && cfg.ProbeInterval > 0 {
		m.probe = newProbe(cfg.ProbeInterval, deps.Search, deps.Log, deps.Now)
	}
	if err := m.register(deps.Registerer); err != nil {
		return nil, err
	}
	x := &Indexer{cfg: cfg, deps: deps, metrics: m}
	if deps.Sink != nil {
		x.writer = &sinkWriter{cfg: cfg, now: deps.Now, sink: deps.Sink, metrics: m}
	} else {
		x.writer = &putter{cfg: cfg, log: deps.Log, now: deps.Now, store: deps.Store, pace: newPace(cfg), metrics: m}
	}
	return x, nil
}

// Run indexes until ctx ends. Then it waits for the store for up to ShutdownTimeout, commits what is in it and
// returns nil. It returns an error when the bus says that there is nothing more to hope for. It may be called once.
func (x *Indexer) Run(ctx context.Context) error {
	x.metrics.backlog.begin(x.deps.Now())
	defer x.metrics.backlog.end()
	c, err := x.join(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began
		}
		return err
	}
	defer x.watch(ctx, c)()
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(x.cfg.ShutdownTimeout, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(hard, func() { timer.Stop() })
	})()

	l := &loop{
		cfg: x.cfg, now: x.deps.Now, consumer: c, writer: x.writer, metrics: x.metrics,
		preparer: preparer{now: x.deps.Now, metrics: x.metrics, again: x.deps.Sink != nil},
		called:   x.deps.Now(),
	}
	err = l.run(ctx, hard)
	if err != nil {
		cancel(err) // nothing that is still on its way will be committed
	}
	l.working.Wait()
	err = errors.Join(err, c.Close())
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		x.deps.Log.WithError(err).Warn("the store did not take the last events in time; they are indexed at the next start")
		return nil
	}
	return err
}

// join enters the consumer group, however long the broker is away.
func (x *Indexer) join(ctx context.Context) (bus.Consumer, error) {
	for wait := x.cfg.RetryMin; ; wait = min(2*wait, x.cfg.RetryMax) {
		c, err := x.deps.Bus.Consume(ctx, x.cfg.Group, bus.TopicLifecycle, bus.TopicDeadLetter)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil, errors.Is(err, bus.ErrClosed):
			return nil, fmt.Errorf("joining the consumer group: %w", err)
		}
		x.deps.Log.WithError(err).Warn("the consumer group could not be joined; it is tried again")
		select {
		case <-time.After(wait/2 + rand.N(wait)): // spreads attempts, keeps no secret
		case <-ctx.Done():
		}
	}
}

// loop reads, makes batches, and commits those that are in the store, in order. Owned by one goroutine, for that is
// what a consumer asks for.
type loop struct {
	cfg      Config
	now      func() time.Time
	consumer bus.Consumer
	writer   writer
	metrics  *metrics
	preparer preparer

	called  time.Time // when the writer was last called
	batch   *batch
	flying  []*batch // on their way, the oldest first
	free    []*batch
	working sync.WaitGroup
}

func (l *loop) run(ctx, hard context.Context) error {
	l.batch = l.fresh()
	for ctx.Err() == nil {
		if err := l.fetch(ctx, hard); err != nil {
			return err
		}
		if l.due() {
			if err := l.launch(hard); err != nil {
				return err
			}
		}
		if err := l.land(hard, 0); err != nil {
			return err
		}
	}
	if l.batch.count > 0 {
		if err := l.launch(hard); err != nil {
			return err
		}
	}
	return l.land(hard, len(l.flying))
}

// fetch takes what the bus has. It waits no longer than something else may be to do: the batch at hand to be sent, a
// batch that was sent to be committed.
func (l *loop) fetch(ctx, hard context.Context) error {
	fetch, cancel := ctx, context.CancelFunc(func() {})
	switch {
	case l.batch.count > 0:
		fetch, cancel = context.WithTimeout(ctx, max(0, l.cfg.BatchDelay-l.now().Sub(l.batch.since)))
	case len(l.flying) > 0:
		fetch, cancel = context.WithTimeout(ctx, l.cfg.BatchDelay)
	case l.writer.every() > 0:
		fetch, cancel = context.WithTimeout(ctx, max(0, l.writer.every()-l.now().Sub(l.called)))
	}
	defer cancel()
	ms, err := l.consumer.Fetch(fetch, l.cfg.BatchDocs-l.batch.count)
	if err != nil {
		if fetch.Err() != nil {
			return nil // time for something else, or the end
		}
		return fmt.Errorf("fetching: %w", err)
	}
	for _, m := range ms {
		if l.batch.count == 0 {
			l.batch.since, l.batch.produced = l.now(), m.Time
		}
		l.preparer.prepare(l.batch, m)
		if l.batch.bytes >= l.writer.size() {
			if err := l.launch(hard); err != nil {
				return err
			}
		}
	}
	return nil
}

// due says whether the batch at hand is to be sent.
func (l *loop) due() bool {
	b := l.batch
	if every := l.writer.every(); every > 0 && b.count == 0 {
		return len(l.flying) == 0 && l.now().Sub(l.called) >= every
	}
	return b.count > 0 && (b.count >= l.cfg.BatchDocs || l.now().Sub(b.since) >= l.cfg.BatchDelay)
}

// launch sends the batch at hand, as soon as there is room for it.
func (l *loop) launch(hard context.Context) error {
	b := l.batch
	for !l.writer.room(b.bytes, l.bytes(), len(l.flying)) {
		if err := l.land(hard, 1); err != nil {
			return err
		}
	}
	l.called = l.now()
	l.flying = append(l.flying, b)
	l.metrics.show(l.flying)
	l.working.Go(func() {
		b.commit, b.err = l.writer.write(hard, b)
		close(b.done)
	})
	l.batch = l.fresh()
	return nil
}

// bytes is how much is on its way.
func (l *loop) bytes() (n int) {
	for _, b := range l.flying {
		n += b.bytes
	}
	return n
}

// land commits the batches that are done, in order, and waits for the first n of them.
func (l *loop) land(hard context.Context, n int) error {
	for ; len(l.flying) > 0; n-- {
		b := l.flying[0]
		if n > 0 {
			<-b.done
		}
		select {
		case <-b.done:
		default:
			return nil
		}
		if b.err != nil {
			return b.err
		}
		if len(b.commit) > 0 {
			if err := l.consumer.Commit(hard, b.commit...); err != nil {
				return fmt.Errorf("committing: %w", err)
			}
		}
		l.metrics.landed(b)
		l.flying = l.flying[1:]
		l.metrics.show(l.flying)
		b.reset()
		l.free = append(l.free, b)
	}
	return nil
}

func (l *loop) fresh() *batch {
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free = l.free[:n-1]
		return b
	}
	return newBatch(l.cfg.BatchBytes)
}
