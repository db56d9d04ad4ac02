package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Factory opens the store under test and registers its closing with t.Cleanup. It is called once.
type Factory func(t *testing.T) store.Store

// Run runs the whole suite. Names of indices are unique to the run, so it may share a server with others.
func Run(t *testing.T, open Factory) {
	t.Helper()
	st := open(t)
	if err := st.Setup(t.Context()); err != nil {
		t.Fatalf("Setup: %v", err)
	}
	if err := st.Setup(t.Context()); err != nil {
		t.Fatalf("Setup once more: %v", err)
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Put", testPut},
		{"Swap", testSwap},
		{"Search", testSearch},
		{"Indices", testIndices},
		{"Aggregate", testAggregate},
		{"Filters", testFilters},
		{"Cancel", testCancel},
		{"Many", testMany},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, newSuite(t, st)) })
	}
}

// suite is one test's view of the store: its own indices, gone afterwards.
type suite struct {
	store.Store
	run string
}

func newSuite(t *testing.T, st store.Store) *suite {
	t.Helper()
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	s := &suite{st, "t" + hex.EncodeToString(b[:])}
	t.Cleanup(func() {
		ctx := context.Background() // the test's has ended
		names, err := st.Indices(ctx, s.all())
		if err != nil {
			t.Errorf("Indices while cleaning: %v", err)
		}
		for _, name := range names {
			if err := st.Drop(ctx, name); err != nil {
				t.Errorf("Drop while cleaning: %v", err)
			}
		}
	})
	return s
}

// index names an index of this test that has the mapping of events.
func (s *suite) index(name string) string { return "im-connection-info-" + s.run + "-" + name }

// all is the pattern of this test's indices.
func (s *suite) all() string { return "im-*-" + s.run + "-*" }

// put puts documents and asks that all be stored and visible.
func (s *suite) put(t *testing.T, docs ...store.Doc) {
	t.Helper()
	for i, r := range s.results(t, docs...) {
		if r.Outcome != store.Stored {
			t.Fatalf("Put of %s: %v, %s\n%s", docs[i].ID, r.Outcome, r.Reason, docs[i].Body)
		}
	}
	s.refresh(t)
}

func (s *suite) results(t *testing.T, docs ...store.Doc) []store.Result {
	t.Helper()
	results, err := s.Put(t.Context(), docs...)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	if len(results) != len(docs) {
		t.Fatalf("Put gave %d results for %d documents", len(results), len(docs))
	}
	return results
}

func (s *suite) refresh(t *testing.T) {
	t.Helper()
	if err := s.Refresh(t.Context(), s.all()); err != nil {
		t.Fatalf("Refresh: %v", err)
	}
}

// fataler is the part of *testing.T that *rapid.T has too.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// search gives the ids of the hits in order.
func (s *suite) search(ctx context.Context, t fataler, q store.Query) []string {
	t.Helper()
	ids := []string{}
	for h, err := range s.Search(ctx, q) {
		if err != nil {
			t.Fatalf("Search: %v", err)
		}
		ids = append(ids, h.ID)
	}
	return ids
}

// expect asks for just these ids in this order, from Search and Count.
func (s *suite) expect(t *testing.T, q store.Query, want ...string) {
	t.Helper()
	if got := s.search(t.Context(), t, q); !slices.Equal(got, want) {
		t.Errorf("Search found %q, want %q", got, want)
	}
	n, err := s.Count(t.Context(), q)
	if err != nil || n != int64(len(want)) {
		t.Errorf("Count gave %d, %v, want %d", n, err, len(want))
	}
}

// base is the time around which the tests' events happen.
func base() time.Time { return time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC) }

// eventAt makes an event with the fields that every event has.
func eventAt(id string, at time.Time) *event.Event {
	e := &event.Event{}
	e.SetTime(event.FieldTimestamp, at)
	e.SetText(event.FieldEventID, id)
	e.SetText(event.FieldEventAction, event.ActionConnect.Code)
	e.SetText(event.FieldLogLevel, event.LevelInfo)
	e.SetText(event.FieldServiceNode, "node-1")
	return e
}

func docOf(index string, e *event.Event) store.Doc {
	return store.Doc{Index: index, ID: e.ID(), Body: e.AppendJSON(nil)}
}

func raw(index, id, body string) store.Doc {
	return store.Doc{Index: index, ID: id, Body: []byte(body)}
}

// field gives a field by its name, which must be known.
func field(name string) filter.Field {
	f, ok := event.FieldByName(name)
	if !ok {
		panic(fmt.Sprintf("no field %s", name))
	}
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

func keyword(name, value string) filter.Expr {
	return filter.Equal{Field: field(name), Value: event.KeywordValue(value)}
}
