package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

func testCancel(t *testing.T, s *suite) {
	t.Helper()
	index := s.index("x")
	s.put(t, docOf(index, eventAt("1", base())))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(op string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", op, err)
		}
	}
	q := store.Query{Indices: index}
	_, err := s.Put(ctx, docOf(index, eventAt("2", base())))
	check("Put", err)
	_, err = s.Swap(ctx, docOf(index, eventAt("2", base())), "")
	check("Swap", err)
	check("Refresh", s.Refresh(ctx, index))
	_, _, err = s.Get(ctx, index, "1")
	check("Get", err)
	_, err = s.Count(ctx, q)
	check("Count", err)
	_, err = s.Indices(ctx, index)
	check("Indices", err)
	check("Drop", s.Drop(ctx, index))
	check("Ping", s.Ping(ctx))
	n := 0
	for _, err := range s.Search(ctx, q) {
		check("Search", err)
		n++
	}
	for _, err := range s.Aggregate(ctx, q, nil, 0) {
		check("Aggregate", err)
		n++
	}
	if n != 2 {
		t.Errorf("Search and Aggregate yielded %d times, want an error each", n)
	}
}

// testMany goes past 10,000 hits and past a page of groups.
func testMany(t *testing.T, s *suite) {
	t.Helper()
	const n, batch = 12_000, 1000
	for i := 0; i < n; i += batch {
		var docs []store.Doc
		for j := i; j < i+batch; j++ {
			// Every 3,000 events share one millisecond, more than a page of hits.
			e := eventAt(fmt.Sprintf("%06d", n-j), base().Add(time.Duration(j/3000)*time.Second+time.Duration(j)))
			e.SetText(event.FieldUserID, fmt.Sprintf("u%04d", j%5000))
			docs = append(docs, docOf(s.index(fmt.Sprint(j%2)), e))
		}
		for i, r := range s.results(t, docs...) {
			if r.Outcome != store.Stored {
				t.Fatalf("document %d: %v %s", i, r.Outcome, r.Reason)
			}
		}
	}
	s.refresh(t)
	q := store.Query{Indices: s.all()}
	ids := s.search(t.Context(), t, q)
	if len(ids) != n {
		t.Fatalf("Search found %d, want %d", len(ids), n)
	}
	for i, id := range ids {
		if want := fmt.Sprintf("%06d", n-i); id != want {
			t.Fatalf("hit %d is %s, want %s", i, id, want)
		}
	}
	if got, err := s.Count(t.Context(), q); err != nil || got != n {
		t.Errorf("Count gave %d, %v", got, err)
	}
	groups := s.groups(t, q, []filter.Field{field("user.id")}, 0)
	if len(groups) != 5000 || groups.total() != n {
		t.Errorf("Aggregate gave %d groups with %d documents, want 5000 with %d", len(groups), groups.total(), n)
	}
}
