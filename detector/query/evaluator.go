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
	Most     int           // events held in memory at once, about; 0: 100,000
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
	kind    window.Kind
	filter  *prefilter // nil: all events are fetched
	reader  store.Reader
	options Options
	engine  *engine.Engine
	floor   int64     // events before it never count
	done    int64     // evaluated up to and including this instant
	asked   time.Time // documents that arrived before it were seen, if they were not late
	told    history
}

// New makes an evaluator that begins at o.From.
func New(r *rule.Rule, reader store.Reader, o Options) (*Evaluator, error) {
	if o.Indices == "" {
		o.Indices = event.EventIndices
	}
	if o.Most == 0 {
		o.Most = 100_000
	}
	kind, err := window.NewKind(r)
	if err != nil {
		return nil, fmt.Errorf("preparing to query: %w", err)
	}
	e := &Evaluator{rule: r, kind: kind, filter: newPrefilter(r, kind), reader: reader, options: o, told: history{}}
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
	if e.asked.IsZero() {
		e.asked = now // should this run fail, what arrives from now on may be late all the same
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

// step evaluates (done, to], or less where that holds many events. First everything is fetched, which can fail, then
// it is evaluated, which cannot.
func (e *Evaluator) step(ctx context.Context, to int64, cost *Cost) ([]*event.Alert, error) {
	keys, open, before := &keyset{}, map[string]bool{}, window.Add(e.done, 1)
	if e.filter != nil {
		for _, key := range e.engine.States() {
			open[key] = true
		}
		var err error
		if keys, err = e.candidates(ctx, to, open, cost); err != nil {
			return nil, err
		}
		before = max(e.floor, window.Add(before, -e.filter.reach))
	}
	events, to, err := e.fetch(ctx, keys, before, to, cost)
	if err != nil {
		return nil, err
	}
	if err := e.begin(ctx, to, cost); err != nil {
		return nil, err
	}
	for _, ev := range events {
		if ev.UnixNano() <= e.done {
			e.engine.Preload(ev, func(key string) bool { return !open[key] && keys.has(key) })
		}
	}
	if e.filter != nil {
		e.engine.Settle(e.done)
	}
	for _, ev := range events {
		if ev.UnixNano() > e.done {
			e.engine.Take(ev, keys.keep())
		}
	}
	alerts := e.engine.AdvanceTo(window.Add(to, 1))
	e.done = to
	if e.filter != nil {
		e.engine.Trim() // what is not open is fetched again when it matters
	}
	for _, a := range alerts {
		e.told.take(e.unitOf(a), e.keyOf(a), a)
	}
	return alerts, nil
}

// keyOf gives the engine's key of an alert, unitOf the part of it that group_by makes.
func (e *Evaluator) keyOf(a *event.Alert) string { return engine.MakeKey(partsOf(a.Key)) }

func (e *Evaluator) unitOf(a *event.Alert) string {
	return engine.MakeKey(partsOf(a.Key[:min(len(e.rule.GroupBy), len(a.Key))]))
}

func partsOf(key []event.KeyPart) []engine.Part {
	parts := make([]engine.Part, len(key))
	for i, p := range key {
		parts[i] = engine.Part{Text: p.Value, Missing: p.Value == rule.Missing}
	}
	return parts
}
