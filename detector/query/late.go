package query

import (
	"context"
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
	engine *engine.Engine
	alerts []*event.Alert
}

// evaluateAnew evaluates a key from the last instant before at when nothing of it was open, up to done. What came
// before that instant is run through too, as far as it matters, so that the windows are full then.
func (e *Evaluator) evaluateAnew(ctx context.Context, unit string, at int64, cost *Cost) (*anew, error) {
	oldest := max(window.Add(e.floor, -1), window.Add(e.done, -2*int64(e.options.LookBack)))
	quiet := max(oldest, e.told.quiet(unit, at-1))
	pending := window.Add(quiet, -int64(e.rule.For))
	from := max(e.floor, window.Add(pending, -e.reach()))
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
	fresh.Quiet(pending, func(key string) bool { // open for longer than is looked back
		t := e.told.open(unit, key)
		return t != nil && t.from <= quiet
	})
	a := &anew{unit: unit, engine: fresh}
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
