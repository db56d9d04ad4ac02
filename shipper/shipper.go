package shipper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/shipper/queue"
	"imwatch/shipper/tail"
)

// Bus is what a Shipper needs of a bus.
type Bus interface {
	bus.Producer
	bus.Sealer
}

// Deps is what a Shipper works with.
type Deps struct {
	Bus        Bus                   // needed; its topics must exist
	Log        logrus.FieldLogger    // needed; diagnostics
	Registerer prometheus.Registerer // nil: the metrics are not shown
	Now        func() time.Time      // nil: time.Now
	Files      queue.FS              // where the queue is; nil: the system's
	Stdin      io.Reader             // nil: that of the process
}

// Shipper brings the lines of log files to the bus. Make one with New, run it once.
type Shipper struct {
	cfg     Config
	deps    Deps
	node    string
	metrics *metrics

	mu      sync.Mutex // guards the fields below
	ledger  *ledger    // nil before Run
	running *running   // nil before and after Run
}

// New checks the configuration and makes the metrics known. It touches no log file.
func New(cfg Config, deps Deps) (*Shipper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the shipper: %w", err)
	}
	if deps.Bus == nil || deps.Log == nil {
		return nil, errors.New("making a shipper: a bus and a logger are needed")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the host's name: %w", err)
	}
	s := &Shipper{cfg: cfg, deps: deps, node: host, metrics: newMetrics()}
	err = s.metrics.register(deps.Registerer,
		s.gauge("im_shipper_checkpoint_age_seconds", "How long acknowledged lines have not been in the checkpoint.", (*ledger).age),
		s.gauge("im_shipper_watermark_lag_seconds", "How far the progress told for the node that is farthest behind is behind the clock.", (*ledger).lag),
		s.gauge("im_shipper_queue_age_seconds", "How long the oldest entry that the broker has not acknowledged has been waiting.",
			func(_ *ledger, now time.Time) time.Duration { return s.metrics.age(now) }),
		s.gauge("im_shipper_lag_seconds", "Age of the oldest line that the broker has not acknowledged; it grows whatever stands still.",
			func(_ *ledger, now time.Time) time.Duration { return s.metrics.lagAge(now) }))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Shipper) gauge(name, help string, of func(*ledger, time.Time) time.Duration) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		s.mu.Lock()
		l := s.ledger
		s.mu.Unlock()
		if l == nil {
			return 0
		}
		return of(l, s.deps.Now()).Seconds()
	})
}

// Run ships until ctx ends; with ExitAtEnd until all is shipped. When ctx ends it waits for the broker's answers for
// up to ShutdownTimeout, writes the checkpoint and returns nil: what was not acknowledged is sent at the next start.
// With ExitAtEnd an end before the end is an error. It may be called once.
func (s *Shipper) Run(ctx context.Context) (err error) {
	if err := os.MkdirAll(filepath.Dir(s.cfg.Checkpoint), 0o750); err != nil {
		return fmt.Errorf("making the checkpoint's directory: %w", err)
	}
	release, err := lock(s.cfg.Checkpoint + ".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	st, err := s.open()
	if err != nil {
		return err
	}
	inputs, err := s.openInputs()
	if err != nil {
		return errors.Join(err, st.close())
	}
	r, snd, err := s.assemble(st, inputs)
	if err != nil {
		return errors.Join(err, st.close(), inputs.release())
	}
	defer r.tail.Close()
	defer func() { err = errors.Join(err, r.stages.Close()) }()
	if r.watcher != nil {
		defer func() { err = errors.Join(err, r.watcher.Close()) }()
	}
	defer func() { err = errors.Join(err, st.close()) }()

	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(s.cfg.ShutdownTimeout, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(hard, func() { timer.Stop() })
	})()

	reading, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := s.receive(reading, inputs, fail)
	defer s.show(r, snd)()
	var group sync.WaitGroup
	group.Go(func() { r.run(reading) })
	err = snd.run(hard)
	group.Wait()
	stop()
	if cause := context.Cause(reading); cause != nil && ctx.Err() == nil {
		return errors.Join(cause, err)
	}
	r.showBehind(r.tail.Files())
	if ctx.Err() == nil {
		return err
	}
	if s.cfg.ExitAtEnd {
		return fmt.Errorf("shipping was stopped before the end: %w", errors.Join(context.Cause(ctx), err))
	}
	if errors.Is(err, context.Cause(ctx)) {
		s.deps.Log.Warn("the broker did not acknowledge the last lines in time; they are sent at the next start")
		return nil
	}
	return err
}

// receive lets the inputs run. When ctx ends they give no more; what they wait for may still be acknowledged until
// stop is called, which waits for their end.
func (s *Shipper) receive(ctx context.Context, k *intake, fail func(error)) (stop func()) {
	if k == nil {
		return func() {}
	}
	unclosed := context.AfterFunc(ctx, func() { close(k.closed) })
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { k.run(within, fail) })
	return func() {
		cancel()
		wg.Wait()
		unclosed()
	}
}

// assemble makes the two halves, reading and sending, and what connects them.
func (s *Shipper) assemble(st *state, k *intake) (*reader, *sender, error) {
	l := newLedger(st.acknowledged, s.deps.Now())
	s.mu.Lock()
	s.ledger = l
	s.mu.Unlock()

	opts := tail.Options{
		CloseAfter: s.cfg.CloseAfter, CloseIdle: s.cfg.CloseIdle, OpenFiles: s.cfg.OpenFiles, ForgetAfter: s.cfg.ForgetAfter, Whole: s.cfg.ExitAtEnd, Log: s.deps.Log, Now: s.deps.Now,
	}
	stages, err := s.cfg.openStages(s.deps.Now(), s.metrics.stageCounts())
	if err != nil {
		return nil, nil, err
	}
	sources := make([]source, len(s.cfg.Sources))
	for i, c := range s.cfg.Sources {
		if sources[i], err = c.open(s.node, stages.Stages, s.deps.Now, s.metrics); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("reading sources[%d]: %w", i, err), stages.Close())
		}
		opts.Sources = append(opts.Sources, c.followed(sources[i].rule))
	}
	t, err := tail.New(opts, st.read.Files)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("preparing the files: %w", err), stages.Close())
	}
	batches, full, free := make(chan *batch), make(chan *batch), make(chan *batch, 2)
	r := &reader{
		cfg: s.cfg, log: s.deps.Log, now: s.deps.Now, metrics: s.metrics, ledger: l, sources: sources, stages: stages, tail: t, node: s.node,
		watcher: s.watch(), out: batches, full: full, free: free, progress: newProgress(st.read.Nodes),
		ends: s.cfg.ExitAtEnd || k.ends(s.cfg.Sources), asked: make(chan func()), backlog: newBacklog(s.cfg, s.deps.Log),
	}
	if k != nil {
		r.in.from = k.out
	}
	snd := &sender{
		cfg: s.cfg, log: s.deps.Log, now: s.deps.Now, bus: s.deps.Bus, metrics: s.metrics, ledger: l, in: batches, full: full, free: free,
		queue: st.queue, positions: st.positions, sealer: sealer{bus: s.deps.Bus, now: s.deps.Now}, lanes: map[place]*lane{},
		progress: make(chan struct{}, 1), failed: make(chan error, 1), found: make(chan [2]int), asked: make(chan func()), taken: s.deps.Now(),
	}
	snd.teller = &teller{sender: snd, wake: make(chan struct{}, 1), write: saveCheckpoint}
	if st.queue != nil {
		if err := snd.resume(st.held, st.queue.Last()+1); err != nil {
			t.Close()
			return nil, nil, errors.Join(fmt.Errorf("preparing the queue: %w", err), stages.Close())
		}
	}
	return r, snd, nil
}

// watch gives a watcher, or nil where files are polled.
func (s *Shipper) watch() *tail.Watcher {
	if s.cfg.Watch == WatchPoll || s.cfg.ExitAtEnd {
		return nil
	}
	w, err := tail.Watch()
	if err != nil {
		s.deps.Log.WithError(err).Warn("the system does not tell of changes; the files are polled")
		return nil
	}
	return w
}
