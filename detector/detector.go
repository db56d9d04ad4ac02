package detector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/shard"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// Deps are what a detector works with. Log and Bus are needed.
type Deps struct {
	Bus        bus.Bus
	Store      store.Reader // for rules with mode query or both; nil: there are none
	Shipped    fs.FS        // the rules where the configuration names none
	Checkpoint Checkpointer // nil: the file of the configuration
	Queries    Checkpointer // progress of the query evaluator; nil: a file beside that
	Log        logrus.FieldLogger
	Registerer prometheus.Registerer // nil: no metrics
	Now        func() time.Time      // nil: time.Now
}

// Topics gives the topics that a detector needs of its own besides those of the pipeline. retention is how long events
// are kept: what was routed must not go before.
func Topics(cfg Config, retention time.Duration) []bus.TopicSpec {
	if cfg.Shards <= 0 {
		return nil
	}
	return []bus.TopicSpec{
		{Name: shard.Topic(cfg.Shards), Partitions: cfg.Shards, Retention: retention},
		{Name: shard.StateTopic(cfg.Shards), Partitions: cfg.Shards, Compact: true},
	}
}

// Detector runs rules over the stream. Make it with New; Run may be called once.
type Detector struct {
	cfg       Config
	deps      Deps
	log       logrus.FieldLogger
	metrics   *metrics
	book      rulebook
	signature string
	reloads   chan struct{}
	compare   *comparison
	board     *board // what is told about rules

	// What follows belongs to Run.

	engine    *engine.Engine
	topic     string
	positions bus.Position
	ends      ends
	rejected  rejections
	health    *health
	published publisher
	pending   []*event.Alert // made, not produced yet
	saver     *saver
	queries   *queries       // nil without a store
	overflow  map[string]int // keys past limits.keys since the last warning, by rule
	lost      map[string]int // what found no room even so, likewise
	tellAt    time.Time
	dirty     bool // something was taken in since the last checkpoint
}

// New loads the rules and makes a detector. Rules that are refused do not make it fail: they are told when it runs.
func New(cfg Config, deps Deps) (*Detector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the detector: %w", err)
	}
	if deps.Bus == nil || deps.Log == nil {
		return nil, errors.New("making the detector: a bus and a log are needed")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Checkpoint == nil {
		deps.Checkpoint = FileCheckpoint(cfg.Checkpoint)
	}
	if deps.Queries == nil {
		deps.Queries = FileCheckpoint(cfg.Checkpoint + ".query")
	}
	m, err := newMetrics(deps.Registerer, deps.Now)
	if err != nil {
		return nil, err
	}
	d := &Detector{
		cfg: cfg, deps: deps, log: deps.Log, metrics: m, topic: bus.TopicLifecycle, reloads: make(chan struct{}, 1),
		book: rulebook{paths: cfg.Rules, shipped: deps.Shipped}, rejected: rejections{}, positions: bus.Position{},
		compare: newComparison(m, deps.Log), board: newBoard(), health: newHealth(cfg, m), overflow: map[string]int{}, lost: map[string]int{},
	}
	d.signature = d.book.signature()
	d.book.load()
	d.tellRules()
	return d, nil
}

// Reload has the rule files read anew, as a change of them does. It returns at once and may be called at any time.
func (d *Detector) Reload() {
	select {
	case d.reloads <- struct{}{}:
	default: // one is waiting already
	}
}

// streamed gives the rules that the stream evaluates.
func (d *Detector) streamed() []*rule.Rule {
	var rules []*rule.Rule
	for _, r := range d.book.running {
		if r.Mode != rule.ModeQuery {
			rules = append(rules, r)
		}
	}
	return rules
}

// tellRules says in log and metrics what was loaded and what was refused.
func (d *Detector) tellRules() {
	status := map[string]int{rule.StatusEnabled: 0, rule.StatusShadow: 0, rule.StatusDisabled: 0}
	for _, r := range d.book.running {
		status[r.Status]++
		if r.Mode != rule.ModeStream && d.deps.Store == nil && r.Status != rule.StatusDisabled {
			d.log.WithField("rule", r.ID).Warn("rule asks for the query evaluator, but there is no store: it is not queried")
		}
	}
	for s, n := range status {
		d.metrics.rules.WithLabelValues(s).Set(float64(n))
	}
	d.metrics.begin(d.book.running, d.deps.Store != nil)
	d.metrics.refused.Set(float64(len(d.book.refused)))
	d.board.loaded(d.book.running, d.book.refused, d.deps.Now())
	for i := range d.book.refused {
		f := &d.book.refused[i]
		d.log.WithFields(logrus.Fields{"file": f.file, "rule": f.ruleID, "kept": f.kept, "reasons": f.reasons}).Error("rule was refused")
	}
	d.log.WithFields(logrus.Fields{
		"enabled": status[rule.StatusEnabled], "shadow": status[rule.StatusShadow],
		"disabled": status[rule.StatusDisabled], "refused": len(d.book.refused),
	}).Info("rules are loaded")
}

func (d *Detector) options() engine.Options { return d.optionsFor(d.overflow) }

// optionsFor gives the options of an engine whose events without room are counted in overflow.
func (d *Detector) optionsFor(overflow map[string]int) engine.Options {
	return engine.Options{
		Late: func(r *rule.Rule, node string, at int64) {
			d.metrics.late.WithLabelValues(r.ID, d.metrics.node(node)).Inc()
			if r.Mode == rule.ModeBoth {
				d.compare.late(r, at)
			}
		},
		Overflow: func(r *rule.Rule) {
			d.metrics.overflow.WithLabelValues(r.ID).Inc()
			overflow[r.ID]++
		},
		Lost: func(r *rule.Rule) {
			d.metrics.lost.WithLabelValues(r.ID).Inc()
			d.lost[r.ID]++
		},
		Stopwatch: func() int64 { return d.deps.Now().UnixNano() },
		Fault: func(err error) {
			d.metrics.texts.Inc()
			d.board.failed(err, d.deps.Now())
			d.log.WithError(err).Warn("alert goes out with the text as written in the rule")
		},
	}
}

// restore makes the engine from the checkpoint, or a fresh one. A checkpoint that cannot be used is told, and reading
// begins at the oldest message: what comes twice then has the same ids.
func (d *Detector) restore() error {
	b, err := d.deps.Checkpoint.Load()
	if err != nil {
		return err
	}
	if b != nil {
		if err = d.restoreFrom(b); err == nil {
			return nil
		}
		d.metrics.checkpoints.WithLabelValues("unusable").Inc()
		d.log.WithError(err).Error("the checkpoint cannot be used: everything that the topic still holds is read again")
	}
	d.positions = bus.Position{}
	d.engine, err = engine.New(d.streamed(), d.options())
	return err
}

func (d *Detector) restoreFrom(b []byte) error {
	c, err := decodeCheckpoint(b)
	if err != nil {
		return err
	}
	if c.topic != d.topic {
		return fmt.Errorf("%w: it is for topic %s", errCheckpoint, c.topic)
	}
	e, err := engine.Restore(d.streamed(), d.options(), c.engine)
	if err != nil {
		return err
	}
	d.engine, d.positions = e, c.positions
	d.rejected.restore(c.rejected)
	if err := d.health.restore(c.health); err != nil {
		d.log.WithError(err).Warn("what the detector knew of its own health is lost")
	}
	e.Resume(d.deps.Now().UnixNano())
	return nil
}

// checkpoint gives the state as it is now.
func (d *Detector) checkpoint() []byte {
	c := checkpoint{topic: d.topic, positions: maps.Clone(d.positions), engine: d.engine.Snapshot(), rejected: d.rejected.lines(), health: d.health.state()}
	return c.encode()
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
