package query

import (
	"context"
	"math"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// overlap is how long a document may take from being stamped to being found: Elasticsearch refreshes every second,
// and the clocks of two machines differ. What is found twice is evaluated twice to the same end.
const overlap = 30 * time.Second

// late finds documents that arrived since the run before and lie in what is evaluated already, evaluates their keys
// anew, and gives the state changes that nobody was told of.
func (e *Evaluator) late(ctx context.Context, cost *Cost) ([]*event.Alert, error) {
	q := e.query(max(e.floor, window.Add(e.done, -int64(e.options.LookBack))), e.done)
	q.IngestedFrom = e.asked.Add(-overlap)
	found, err := e.search(ctx, q, map[document]bool{}, nil, cost)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	cost.Late += len(found)
	earliest := map[string]int64{} // by key as the engine writes it
	for _, ev := range found {
		for _, key := range engine.KeysOf(e.rule, ev) {
			if _, known := earliest[key]; !known {
				earliest[key] = ev.UnixNano()
			}
		}
	}
	anews := make([]*anew, 0, len(earliest))
	for key, at := range earliest {
		a, err := e.evaluateAnew(ctx, key, at, cost)
		if err != nil {
			return nil, err
		}
		anews = append(anews, a)
	}
	var alerts []*event.Alert
	for _, a := range anews {
		alerts = append(alerts, e.adopt(a)...)
	}
	return alerts, nil
}

// anew is what comes of evaluating a key once more.
type anew struct {
	key    string
	engine *engine.Engine
	alerts []*event.Alert
}

// evaluateAnew evaluates a key from before an instant at which nothing of it was going on, up to done.
func (e *Evaluator) evaluateAnew(ctx context.Context, key string, at int64, cost *Cost) (*anew, error) {
	keys := &keyset{
		fields: e.where.fields, wanted: map[string]bool{canonical(key, e.where.fields): true}, cache: map[string]bool{},
	}
	oldest := max(e.floor, window.Add(e.done, -2*int64(e.options.LookBack)))
	quiet := quietSpan(e.rule)
	var events []*event.Event
	for span := window.Add(quiet, quiet); ; span = window.Add(span, span) {
		from := max(oldest, window.Add(at, -span))
		var err error
		if events, err = e.fetch(ctx, keys, from, e.done, cost); err != nil {
			return nil, err
		}
		if i := quietBefore(events, from, at, quiet); i >= 0 {
			events = events[i:]
			break
		}
		if from == oldest {
			break
		}
	}
	fresh, err := engine.New([]*rule.Rule{e.rule}, e.engineOptions())
	if err != nil {
		return nil, err
	}
	for _, ev := range events {
		fresh.Take(ev, func(k string) bool { return k == key })
	}
	return &anew{key, fresh, fresh.AdvanceTo(window.Add(e.done, 1))}, nil
}

// quietSpan is how long a key must have had no event for its state to be as new; Never if it never is.
func quietSpan(r *rule.Rule) int64 {
	if t := r.Detect.Threshold; t != nil {
		if t.Count.Holds(0) {
			return math.MaxInt64
		}
		return window.Add(int64(t.Window.Duration), int64(r.Resolve.After))
	}
	return window.Add(int64(r.Detect.Consecutive.MaxGap), int64(r.Resolve.After)+1)
}

// quietBefore gives the place of the last event that comes after a quiet span and not after the instant at; -1 where
// there is none. Before from it is not known what was.
func quietBefore(events []*event.Event, from, at, quiet int64) int {
	before, place := from, -1
	for i, ev := range events {
		if ev.UnixNano() > at {
			break
		}
		if ev.UnixNano()-before > quiet {
			place = i
		}
		before = ev.UnixNano()
	}
	return place
}

// adopt takes over the state of a key evaluated anew and gives the state changes that nobody was told of: those of
// alerts that share no instant with one that was told. The others are the same incident, and keep their name.
func (e *Evaluator) adopt(a *anew) []*event.Alert {
	spans := map[string][2]int64{}
	for _, al := range a.alerts {
		span, known := spans[al.ID]
		if !known {
			span = [2]int64{al.From.UnixNano(), window.Never}
		}
		if al.State == event.StateResolved {
			span[1] = al.Time.UnixNano()
		}
		spans[al.ID] = span
	}
	known := map[string]*told{}
	for id, span := range spans {
		known[id] = e.told.overlapping(a.key, span[0], span[1])
	}
	var alerts []*event.Alert
	for _, al := range a.alerts {
		old := known[al.ID]
		switch {
		case old == nil:
			alerts = append(alerts, al)
		case al.State == event.StateResolved && old.to == window.Never:
			al.ID, al.From, al.FromText, al.FirstEvent = old.id, time.Unix(0, old.from).UTC(), old.text, old.first
			alerts = append(alerts, al)
		}
	}
	var spell *engine.Spell
	if open := a.engine.Open(a.key); open != nil {
		if old := known[open.ID]; old != nil {
			old.to = window.Never
			spell = &engine.Spell{ID: old.id, Start: old.from, Text: old.text, First: old.first, Told: old.value, Severity: old.severity}
		}
	}
	e.engine.Adopt(a.engine, a.key, spell)
	for _, al := range alerts {
		e.told.take(a.key, al)
	}
	return alerts
}
