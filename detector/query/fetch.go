package query

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"imwatch/detector/engine"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

const (
	keysAtOnce = 100  // keys named in one search
	keysNamed  = 2000 // with more, all of the rule's events are fetched instead
)

// document is what tells two hits apart.
type document struct{ index, id string }

// fetch gives the events of some keys in [from, to], in order, and up to where they are whole: to, or earlier where
// there are very many.
func (e *Evaluator) fetch(ctx context.Context, keys *keyset, from, to int64, cost *Cost) ([]*event.Event, int64, error) {
	q := e.query(e.kind.Selects, from, to)
	if keys.all() || len(keys.wanted) > keysNamed {
		return e.fetchAll(ctx, q, to, cost)
	}
	seen := map[document]bool{}
	var events []*event.Event
	for some := range slices.Chunk(slices.Sorted(maps.Keys(keys.wanted)), keysAtOnce) {
		either := filter.Or{}
		for _, key := range some {
			either = append(either, e.is(key))
		}
		part := q
		part.Where = filter.And{q.Where, either}
		var err error
		if events, err = e.search(ctx, part, seen, events, cost); err != nil {
			return nil, to, err
		}
	}
	sortEvents(events)
	return events, to, nil
}

// fetchAll gives the events of a query, and up to where they are whole: an instant with all of its events.
func (e *Evaluator) fetchAll(ctx context.Context, q store.Query, to int64, cost *Cost) ([]*event.Event, int64, error) {
	var events []*event.Event
	seen := map[document]bool{}
	for hit, err := range e.reader.Search(ctx, q) {
		if err != nil {
			return nil, to, fmt.Errorf("fetching events: %w", err)
		}
		ev := e.read(hit, seen, cost)
		if ev == nil {
			continue
		}
		if n := len(events); n >= e.options.Most && ev.UnixNano() > events[n-1].UnixNano() && events[n-1].UnixNano() > e.done {
			return events, events[n-1].UnixNano(), nil
		}
		events = append(events, ev)
	}
	return events, to, nil
}

// is makes the condition that an event belongs to a canonical key.
func (e *Evaluator) is(key string) filter.Expr {
	parts, _ := engine.SplitKey(key, len(e.rule.GroupBy))
	all := filter.And{}
	for i, p := range parts {
		f := e.rule.GroupBy[i]
		v, ok := event.Parse(f.Type, p.Text)
		switch {
		case p.Missing:
			all = append(all, filter.Not{X: filter.Exists{Field: f}})
		case ok:
			all = append(all, filter.Equal{Field: f, Value: v})
		default: // the store printed what it would not read: take all rather than none
			all = append(all, filter.Exists{Field: f})
		}
	}
	return all
}

// search adds the hits of a query to events.
func (e *Evaluator) search(ctx context.Context, q store.Query, seen map[document]bool, events []*event.Event, cost *Cost) ([]*event.Event, error) {
	for hit, err := range e.reader.Search(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("fetching events: %w", err)
		}
		if ev := e.read(hit, seen, cost); ev != nil {
			events = append(events, ev)
		}
	}
	return events, nil
}

// read gives the event of a hit, nil for one that was read already or that is none.
func (e *Evaluator) read(hit store.Hit, seen map[document]bool, cost *Cost) *event.Event {
	d := document{hit.Index, hit.ID}
	if seen[d] {
		return nil
	}
	seen[d] = true
	cost.Events++
	ev := &event.Event{}
	if err := hit.Decode(ev); err != nil {
		if e.options.Fault != nil {
			e.options.Fault(fmt.Errorf("reading document %s of %s: %w", hit.ID, hit.Index, err))
		}
		return nil
	}
	if ev.ID() == "" {
		ev.SetText(event.FieldEventID, hit.ID)
	}
	if ev.IsWatermark() {
		return nil
	}
	return ev
}

func sortEvents(events []*event.Event) {
	slices.SortStableFunc(events, func(a, b *event.Event) int {
		return cmp.Or(cmp.Compare(a.UnixNano(), b.UnixNano()), strings.Compare(a.ID(), b.ID()))
	})
}
