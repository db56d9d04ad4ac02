package backtest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Memory is a store.Reader over events in memory: how a file is evaluated as the query evaluator would. Make it with
// NewMemory. Safe for concurrent use. Get finds nothing: documents have no versions here.
type Memory struct{ events []*event.Event }

var _ store.Reader = (*Memory)(nil)

// NewMemory makes a reader of events, which belong to it from now on. Of several with one event.id in one index, as
// the event names it, the first is kept, as a store does.
func NewMemory(events []*event.Event) *Memory {
	type document struct{ index, id string }
	seen := map[document]bool{}
	kept := events[:0]
	for _, e := range events {
		if d := (document{e.Index(), e.ID()}); !seen[d] {
			seen[d] = true
			kept = append(kept, e)
		}
	}
	slices.SortStableFunc(kept, func(a, b *event.Event) int {
		return cmp.Or(cmp.Compare(a.UnixNano(), b.UnixNano()), strings.Compare(a.ID(), b.ID()), strings.Compare(a.Index(), b.Index()))
	})
	return &Memory{kept}
}

// matching gives the events that a query selects, in order.
func (m *Memory) matching(q store.Query) iter.Seq[*event.Event] {
	where := func(*event.Event) bool { return true }
	if q.Where != nil {
		where = filter.Compile(q.Where)
	}
	from, _ := slices.BinarySearchFunc(m.events, q.From, func(e *event.Event, t time.Time) int { return e.Time().Compare(t) })
	return func(yield func(*event.Event) bool) {
		for _, e := range m.events[from:] {
			if !q.To.IsZero() && !e.Time().Before(q.To) {
				return
			}
			if !q.IngestedFrom.IsZero() {
				if v, ok := e.Get(event.FieldEventIngested); !ok || v.Time().Before(q.IngestedFrom) {
					continue
				}
			}
			if store.MatchIndex(q.Indices, e.Index()) && where(e) && !yield(e) {
				return
			}
		}
	}
}

// Search yields the matching events.
func (m *Memory) Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	return func(yield func(store.Hit, error) bool) {
		for e := range m.matching(q) {
			if ctx.Err() != nil {
				yield(store.Hit{}, fmt.Errorf("searching: %w", ctx.Err()))
				return
			}
			if !yield(store.Hit{Index: e.Index(), ID: e.ID(), Body: e.AppendJSON(nil)}, nil) {
				return
			}
		}
	}
}

// Count counts the matching events.
func (m *Memory) Count(ctx context.Context, q store.Query) (int64, error) {
	n := int64(0)
	for range m.matching(q) {
		n++
	}
	return n, ctx.Err()
}

// Aggregate groups the matching events.
func (m *Memory) Aggregate(ctx context.Context, q store.Query, by []filter.Field, interval time.Duration) iter.Seq2[store.Bucket, error] {
	return func(yield func(store.Bucket, error) bool) {
		groups := store.NewGroups(by, interval)
		for e := range m.matching(q) {
			groups.Add(e)
		}
		if err := ctx.Err(); err != nil {
			yield(store.Bucket{}, fmt.Errorf("aggregating: %w", err))
			return
		}
		for _, b := range groups.All() {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// Get finds nothing.
func (m *Memory) Get(_ context.Context, index, id string) ([]byte, string, error) {
	return nil, "", fmt.Errorf("reading %s of %s: %w", id, index, store.ErrNotFound)
}
