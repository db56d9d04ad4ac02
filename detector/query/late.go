package query

import (
	"context"
	"maps"
	"slices"
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
	q := e.query(e.kind.Selects, max(e.floor, window.Add(e.done, -int64(e.options.LookBack))), e.done)
	q.IngestedFrom = e.asked.Add(-overlap)
	found, err := e.search(ctx, q, map[document]bool{}, nil, cost)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	cost.Late += len(found)
	earliest := map[string]int64{} // by key of group_by as the engine writes it
	for _, ev := range found {
		for _, unit := range engine.KeysOf(e.rule, ev) {
			if _, known := earliest[unit]; !known {
				earliest[unit] = ev.UnixNano()
			}
		}
	}
	anews := make([]*anew, 0, len(earliest))
	for unit, at := range earliest {
		a, err := e.evaluateAnew(ctx, unit, at, cost)
		if err != nil {
			return nil, err
		}
		anews = append(anews, a)
	}
	var alerts []*event.Alert
	for _, a := range anews {
		alerts = append(alerts, e.adopt(a)...)
	}
	if e.filter != nil {
		e.engine.Trim()
	}
	return alerts, nil
}

// anew is what comes of evaluating a key once more.
type anew struct {
	unit   string
	quiet  int64 // it begins after this instant
	engine *engine.Engine
	alerts []*event.Alert
}

// evaluateAnew evaluates a key from the last instant before at when nothing of it was open, up to done. What came
// before that instant is run through too, as far as it matters, so that the windows are full then.
func (e *Evaluator) evaluateAnew(ctx context.Context, unit string, at int64, cost *Cost) (*anew, error) {
	oldest := max(window.Add(e.floor, -1), window.Add(e.done, -2*int64(e.options.LookBack)))
	quiet := max(oldest, e.told.quiet(unit, at-1))
	pending := window.Add(quiet, -int64(e.rule.For))
	from := max(e.floor, window.Add(pending, 1-e.reach()))
	events, _, err := e.fetch(ctx, oneKey(unit, e.rule.GroupBy), from, e.done, cost)
	if err != nil {
		return nil, err
	}
	fresh, err := engine.New([]*rule.Rule{e.rule}, e.engineOptions())
	if err != nil {
		return nil, err
	}
	e.beginAnew(fresh, from)
	for _, ev := range events {
		fresh.Take(ev, func(key string) bool { return key == unit })
	}
	fresh.AdvanceTo(window.Add(quiet, 1))
	fresh.Quiet(pending)
	a := &anew{unit: unit, quiet: quiet, engine: fresh}
	for _, al := range fresh.AdvanceTo(window.Add(e.done, 1)) {
		if e.unitOf(al) == unit {
			a.alerts = append(a.alerts, al)
		}
	}
	return a, nil
}

// reach gives how far back events matter to a key of which nothing is open.
func (e *Evaluator) reach() int64 {
	if e.filter != nil {
		return e.filter.reach
	}
	return e.kind.Lookback
}

// adopt takes over the state of a key evaluated anew and gives the state changes that nobody was told of: those of
// alerts that share no instant with one that was told. The others are the same incident, and keep their name.
func (e *Evaluator) adopt(a *anew) []*event.Alert {
	known := e.known(a)
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
	alerts = append(alerts, e.unfounded(a, known)...)
	e.engine.Adopt(a.engine, a.unit, func(id string) *engine.Spell {
		old := known[id]
		if old == nil {
			return nil
		}
		old.to = window.Never
		return &engine.Spell{ID: old.id, Start: old.from, Text: old.text, First: old.first, Told: old.value, Severity: old.severity}
	})
	for _, al := range alerts {
		e.told.take(a.unit, e.keyOf(al), al)
	}
	return alerts
}

// unfounded resolves what is open of a key and is nothing when it is evaluated anew.
func (e *Evaluator) unfounded(a *anew, known map[string]*told) []*event.Alert {
	var alerts []*event.Alert
	for _, t := range e.told[a.unit] {
		if t.to != window.Never || t.from <= a.quiet || slices.Contains(slices.Collect(maps.Values(known)), t) {
			continue
		}
		spell := engine.Spell{ID: t.id, Start: t.from, Text: t.text, First: t.first, Told: t.value, Severity: t.severity}
		alerts = append(alerts, e.engine.Unfounded(t.key, spell, e.done))
	}
	return alerts
}

// known gives, by id of the alerts of a key evaluated anew, those already told that are the same incident.
func (e *Evaluator) known(a *anew) map[string]*told {
	type span struct {
		key      string
		from, to int64
	}
	spans := map[string]span{}
	for _, al := range a.alerts {
		s, seen := spans[al.ID]
		if !seen {
			s = span{e.keyOf(al), al.From.UnixNano(), window.Never}
		}
		if al.State == event.StateResolved {
			s.to = al.Time.UnixNano()
		}
		spans[al.ID] = s
	}
	known := map[string]*told{}
	for id, s := range spans {
		known[id] = e.told.overlapping(a.unit, s.key, s.from, s.to)
	}
	return known
}
