package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/internal/store"
)

// Options say where and from when events are looked for.
type Options struct {
	Indices  string        // the store's pattern; "": all events
	From     time.Time     // the first instant evaluated, and the first whose events count
	LookBack time.Duration // how old a document that arrives late may be and still be found; 0: none are looked for
	Fault    func(error)   // told of documents that cannot be read and texts that cannot be made; may be nil
}

// Cost is what a run took of the store.
type Cost struct {
	Keys       int // looked at by the aggregation
	Candidates int // that could satisfy the condition, or had state
	Events     int // fetched
	Late       int // documents found that had arrived late
}

// Evaluator evaluates one rule on a store, from one run to the next. Make it with New. Not safe for concurrent use.
type Evaluator struct {
	rule    *rule.Rule
	reader  store.Reader
	options Options
	engine  *engine.Engine
	where   condition
	floor   int64     // events before it never count
	done    int64     // evaluated up to and including this instant
	asked   time.Time // when the store was asked last
	told    history
}

// New makes an evaluator that begins at o.From.
func New(r *rule.Rule, reader store.Reader, o Options) (*Evaluator, error) {
	if o.Indices == "" {
		o.Indices = event.EventIndices
	}
	e := &Evaluator{rule: r, reader: reader, options: o, where: conditionOf(r), told: history{}}
	var err error
	if e.engine, err = engine.New([]*rule.Rule{r}, e.engineOptions()); err != nil {
		return nil, fmt.Errorf("preparing to query: %w", err)
	}
	e.floor = o.From.UnixNano()
	e.done = window.Add(e.floor, -1)
	return e, nil
}

func (e *Evaluator) engineOptions() engine.Options {
	return engine.Options{Fault: e.options.Fault}
}

// Done gives the instant up to which everything is evaluated, included.
func (e *Evaluator) Done() time.Time { return time.Unix(0, e.done).UTC() }

// stepLimit bounds the time evaluated at once, and so what is held in memory, in lengths of the window.
const stepLimit = 60

// Run evaluates up to and including the instant until and gives the state changes. now is the wall time, from which
// the next run looks for documents that arrived late. On an error the state changes of what succeeded are given, and
// the rest is made good by the next run.
func (e *Evaluator) Run(ctx context.Context, until, now time.Time) ([]*event.Alert, Cost, error) {
	var cost Cost
	var alerts []*event.Alert
	if !e.asked.IsZero() && e.options.LookBack > 0 {
		found, err := e.late(ctx, &cost)
		if err != nil {
			return nil, cost, fmt.Errorf("looking for late documents of rule %s: %w", e.rule.ID, err)
		}
		alerts = found
	}
	step := max(stepLimit*int64(e.rule.Detect.Window()), int64(10*time.Minute))
	for e.done < until.UnixNano() {
		to := min(until.UnixNano(), window.Add(e.done, step))
		found, err := e.step(ctx, to, &cost)
		if err != nil {
			return alerts, cost, fmt.Errorf("querying rule %s from %v to %v: %w", e.rule.ID, e.Done(), time.Unix(0, to).UTC(), err)
		}
		alerts = append(alerts, found...)
	}
	e.asked = now
	e.told.prune(window.Add(e.done, -2*int64(e.options.LookBack)))
	slices.SortStableFunc(alerts, engine.Order)
	return alerts, cost, nil
}

// step evaluates (done, to]. First everything is fetched, which can fail, then it is evaluated, which cannot.
func (e *Evaluator) step(ctx context.Context, to int64, cost *Cost) ([]*event.Alert, error) {
	had := map[string]bool{}
	for _, key := range e.engine.States() {
		had[key] = true
	}
	keys, err := e.candidates(ctx, to, had, cost)
	if err != nil {
		return nil, err
	}
	before := max(e.floor, window.Add(e.done, 1-int64(e.rule.Detect.Window())))
	events, err := e.fetch(ctx, keys, before, to, cost)
	if err != nil {
		return nil, err
	}
	for _, ev := range events {
		if ev.UnixNano() <= e.done {
			e.engine.Preload(ev, func(key string) bool { return !had[key] && keys.has(key) })
		}
	}
	for _, ev := range events {
		if ev.UnixNano() > e.done {
			e.engine.Take(ev, keys.keep())
		}
	}
	alerts := e.engine.AdvanceTo(window.Add(to, 1))
	e.done = to
	for _, a := range alerts {
		e.told.take(e.keyOf(a), a)
	}
	return alerts, nil
}

// keyOf gives the engine's key of an alert.
func (e *Evaluator) keyOf(a *event.Alert) string {
	parts := make([]engine.Part, len(a.Key))
	for i, p := range a.Key {
		parts[i] = engine.Part{Text: p.Value, Missing: p.Value == rule.Missing}
	}
	return engine.MakeKey(parts)
}
