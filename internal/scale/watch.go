package scale

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
)

// Group is what is asked of the bus.
type Group interface {
	Ends(ctx context.Context, topic string) (bus.Position, error)
	Starts(ctx context.Context, topic string) (bus.Position, error)
	Committed(ctx context.Context, group, topic string) (bus.Position, error)
	Members(ctx context.Context, group string) (int, error)
}

// Deps is what a Watch works with.
type Deps struct {
	Bus        Group                 // needed
	Group      string                // that is watched; needed
	Topic      string                // that it reads; needed
	Each       float64               // messages a second that a member is taken to handle until more is known; needed
	Most       int                   // members that are of use; 0: as many as there are partitions
	Metric     string                // name of the gauge of wanted members; needed
	Log        logrus.FieldLogger    // needed; diagnostics
	Registerer prometheus.Registerer // nil: the metric is not shown
	Now        func() time.Time      // nil: time.Now
}

// Watch asks for a group's lag again and again, and keeps the advice that comes of it. Make one with New, run it once;
// Advice may be called at any time.
type Watch struct {
	cfg     Config
	deps    Deps
	advisor *Advisor
	fixed   bool // nothing is asked

	mu     sync.Mutex
	advice Report
}

// Report is the advice for a group, as it is shown.
type Report struct {
	Group string `json:"group"`
	Topic string `json:"topic"`
	Advice
	Error string `json:"error,omitempty"` // why nothing newer is known
}

// New makes a Watch.
func New(cfg Config, deps Deps) (*Watch, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	w := &Watch{cfg: cfg, deps: deps, advisor: NewAdvisor(cfg, deps.Each)}
	w.advice = Report{Group: deps.Group, Topic: deps.Topic, Advice: Advice{Wanted: 1, At: deps.Now(), CatchUp: -1, Why: "nothing was asked yet"}}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: deps.Metric, Help: "Instances that the lag and the rates of the whole group ask for; /-/scale says why.",
	}, func() float64 { return float64(w.Advice().Wanted) })
	if deps.Registerer != nil {
		if err := deps.Registerer.Register(gauge); err != nil {
			return nil, fmt.Errorf("registering a metric: %w", err)
		}
	}
	return w, nil
}

// Fixed makes a Watch of a group whose size no lag changes, with the reason for it.
func Fixed(cfg Config, deps Deps, wanted int, why string) (*Watch, error) {
	w, err := New(cfg, deps)
	if err != nil {
		return nil, err
	}
	w.fixed = true
	w.advice.Advice = Advice{Wanted: wanted, Most: wanted, At: w.advice.At, CatchUp: -1, Why: why}
	return w, nil
}

// Advice gives the newest advice.
func (w *Watch) Advice() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.advice
}

// Run asks until ctx ends. A broker that does not answer leaves the advice as it is.
func (w *Watch) Run(ctx context.Context) error {
	if w.fixed {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	failing := false
	for {
		err := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing {
			w.deps.Log.WithError(err).WithField("group", w.deps.Group).Warn("the group's lag is not known: the advice on instances stays as it is")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look takes one sample.
func (w *Watch) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Every)
	defer cancel()
	s, err := w.sample(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.advice.Error = err.Error()
		return err
	}
	w.advice = Report{Group: w.deps.Group, Topic: w.deps.Topic, Advice: w.advisor.Observe(s, w.deps.Most)}
	return nil
}

func (w *Watch) sample(ctx context.Context) (Sample, error) {
	done, err := w.deps.Bus.Committed(ctx, w.deps.Group, w.deps.Topic) // before the ends: it lies behind them
	if err != nil {
		return Sample{}, err
	}
	starts, err := w.deps.Bus.Starts(ctx, w.deps.Topic)
	if err != nil {
		return Sample{}, err
	}
	for p, at := range starts { // what was never handled begins at the oldest
		done[p] = max(done[p], at)
	}
	ends, err := w.deps.Bus.Ends(ctx, w.deps.Topic)
	if err != nil {
		return Sample{}, err
	}
	n, err := w.deps.Bus.Members(ctx, w.deps.Group)
	if err != nil {
		return Sample{}, err
	}
	return Sample{At: w.deps.Now(), Ends: ends, Done: done, Members: n}, nil
}
