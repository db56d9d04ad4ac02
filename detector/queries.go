package detector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/detector/query"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// queries runs the query evaluator of the rules that ask for it, one rule after the other, beside the stream.
type queries struct {
	d       *Detector
	cfg     QueryConfig
	to      Checkpointer
	running map[string]*querying // by rule id
	kept    map[string][]byte    // progress by rule id, after what was told

	mu      sync.Mutex
	rules   []*rule.Rule         // guarded by mu: set by the loop, read by run
	failing map[string]time.Time // guarded by mu: since when each rule's query fails
}

type querying struct {
	rule *rule.Rule
	eval *query.Evaluator
}

func (d *Detector) newQueries() *queries {
	q := &queries{
		d: d, cfg: d.cfg.Query, to: d.deps.Queries, running: map[string]*querying{}, kept: map[string][]byte{}, failing: map[string]time.Time{},
	}
	q.set(d.book.running)
	return q
}

// set takes the rules that are queried from now on. Safe for concurrent use.
func (q *queries) set(rules []*rule.Rule) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rules = nil
	for _, r := range rules {
		if r.Mode != rule.ModeStream && r.Status != rule.StatusDisabled {
			q.rules = append(q.rules, r)
		}
	}
}

func (q *queries) get() []*rule.Rule {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rules
}

// run asks the store again and again until ctx ends.
func (q *queries) run(ctx context.Context) {
	q.load()
	for ctx.Err() == nil {
		q.round(ctx)
		wait(ctx, q.cfg.Every)
	}
}

// load reads the progress of all rules. Without it each begins anew, as far back as late documents are looked for.
func (q *queries) load() {
	b, err := q.to.Load()
	if err == nil && b != nil {
		q.kept, err = decodeProgress(b)
	}
	if err != nil {
		q.d.log.WithError(err).Error("the progress of queries cannot be used: they begin anew")
		q.kept = map[string][]byte{}
	}
}

// round runs each rule once. Progress is written after the alerts it contains were acknowledged.
func (q *queries) round(ctx context.Context) {
	rules := q.get()
	if len(rules) == 0 {
		return
	}
	wanted := map[string]bool{}
	for _, r := range rules {
		wanted[r.ID] = true
		err := q.one(ctx, r)
		q.ended(ctx, r.ID, err)
		if err != nil && ctx.Err() == nil {
			q.d.metrics.queries.WithLabelValues(r.ID, "failed").Inc()
			q.d.log.WithError(err).WithField("rule", r.ID).Error("query failed: the next one makes it good")
		}
	}
	for id := range q.kept {
		if !wanted[id] {
			delete(q.running, id)
			delete(q.kept, id)
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err := q.to.Save(encodeProgress(q.kept)); err != nil {
		q.d.log.WithError(err).Error("the progress of queries could not be written")
	}
}

// one runs one rule up to where documents can be expected to have arrived.
func (q *queries) one(ctx context.Context, r *rule.Rule) error {
	now := q.d.deps.Now()
	until := now.Add(-q.cfg.Delay - r.Time.Lateness)
	w, err := q.evaluator(r, until)
	if err != nil {
		return err
	}
	alerts, cost, err := w.eval.Run(ctx, until, now)
	q.count(r, QueryRun{At: now, Until: w.eval.Done(), Took: q.d.deps.Now().Sub(now), Cost: cost, Err: err})
	if r.Mode == rule.ModeBoth {
		q.d.compare.queried(r.ID, w.eval.Done(), alerts)
	} else if len(alerts) > 0 {
		if produceErr := q.d.produce(ctx, alerts); produceErr != nil {
			delete(q.running, r.ID) // its progress holds what was not told: begin again at what is kept
			return errors.Join(err, produceErr)
		}
		for _, a := range alerts {
			q.d.metrics.alerts.WithLabelValues(a.RuleID, a.State).Inc()
		}
		q.d.board.told(alerts)
	}
	q.kept[r.ID] = w.eval.Progress()
	if err != nil {
		return err
	}
	q.d.metrics.queries.WithLabelValues(r.ID, "done").Inc()
	q.d.log.WithFields(logrus.Fields{
		"rule": r.ID, "until": event.FormatTime(until), "keys": cost.Keys, "candidates": cost.Candidates,
		"events": cost.Events, "late": cost.Late, "alerts": len(alerts),
	}).Debug("query is done")
	return nil
}

// evaluator gives a rule's evaluator: the one that runs, one that goes on from its progress, or a new one.
func (q *queries) evaluator(r *rule.Rule, until time.Time) (*querying, error) {
	w := q.running[r.ID]
	if w != nil && w.rule == r {
		return w, nil
	}
	o := query.Options{
		From: until.Add(-q.cfg.LookBack), LookBack: q.cfg.LookBack,
		Fault: func(err error) { q.d.log.WithError(err).WithField("rule", r.ID).Warn("in a query") },
	}
	var eval *query.Evaluator
	var err error
	if kept := q.kept[r.ID]; kept != nil {
		if eval, err = query.Restore(r, q.d.deps.Store, o, kept); err != nil {
			q.d.log.WithError(err).WithField("rule", r.ID).Warn("query begins anew")
		}
	}
	if eval == nil {
		if eval, err = query.New(r, q.d.deps.Store, o); err != nil {
			return nil, err
		}
	}
	w = &querying{r, eval}
	q.running[r.ID] = w
	return w, nil
}

func encodeProgress(kept map[string][]byte) []byte {
	var e window.Encoder
	e.Len(len(kept))
	for id, progress := range kept {
		e.String(id)
		e.Blob(progress)
	}
	return e.Bytes()
}

func decodeProgress(b []byte) (map[string][]byte, error) {
	d := window.NewDecoder(b)
	kept := map[string][]byte{}
	for range d.Len(2) {
		id := d.String()
		kept[id] = []byte(d.String())
	}
	if d.Err() != nil || d.Rest() > 0 {
		return nil, errCheckpoint
	}
	return kept, nil
}
