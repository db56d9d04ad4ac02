package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// testContext gives a context for a test of either kind.
func testContext(t fataler) context.Context {
	return t.(interface{ Context() context.Context }).Context()
}

// testFilters compares Search, Count and Aggregate with filter.Compile on random events and random queries.
func testFilters(t *testing.T, s *suite) {
	t.Helper()
	known := randomDocs(t, s, 400)
	t.Run("leaves", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { s.compare(t, known, leaves().Draw(t, "where")) })
	})
	t.Run("expressions", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { s.compare(t, known, expressions(3).Draw(t, "where")) })
	})
	t.Run("groups", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { s.compareGroups(t, known) })
	})
}

type known struct {
	doc store.Doc
	e   *event.Event
}

// randomDocs puts random events, over two indices, and gives them in the order in which a search finds them.
func randomDocs(t *testing.T, s *suite, n int) []known {
	t.Helper()
	var all []known
	var docs []store.Doc
	for i := range n {
		body := bodies(fmt.Sprintf("id-%04d", i)).Example(i)
		k := known{doc: raw(s.index(fmt.Sprint("r", i%2)), fmt.Sprintf("id-%04d", i), body), e: &event.Event{}}
		if err := event.Decode(k.doc.Body, k.e); err != nil {
			t.Fatalf("the generator made no event: %v\n%s", err, body)
		}
		all, docs = append(all, k), append(docs, k.doc)
	}
	s.put(t, docs...)
	slices.SortFunc(all, func(a, b known) int {
		return cmp.Or(cmp.Compare(a.e.UnixNano(), b.e.UnixNano()), cmp.Compare(a.doc.ID, b.doc.ID))
	})
	return all
}

// query draws a query with where as its condition, and gives the documents that it means.
func (s *suite) query(t *rapid.T, all []known, where filter.Expr) (store.Query, []known) {
	q := store.Query{Indices: s.index("r*"), Where: where}
	q.From, q.To = maybeTime(t, "from"), maybeTime(t, "to")
	q.IngestedFrom = maybeTime(t, "ingested")
	match := filter.Compile(where)
	var want []known
	for _, k := range all {
		at, ingested := k.e.UnixNano(), int64(-1)
		if v, ok := k.e.Get(event.FieldEventIngested); ok {
			ingested = v.UnixNano()
		}
		if match(k.e) && (q.From.IsZero() || at >= q.From.UnixNano()) && (q.To.IsZero() || at < q.To.UnixNano()) &&
			(q.IngestedFrom.IsZero() || ingested >= q.IngestedFrom.UnixNano()) {
			want = append(want, k)
		}
	}
	return q, want
}

// maybeTime draws no bound more often than one.
func maybeTime(t *rapid.T, label string) time.Time {
	if rapid.IntRange(0, 3).Draw(t, label+"?") < 3 {
		return time.Time{}
	}
	return instants().Draw(t, label)
}

func (s *suite) compare(t *rapid.T, all []known, where filter.Expr) {
	q, hits := s.query(t, all, where)
	want := []string{}
	for _, k := range hits {
		want = append(want, k.doc.ID)
	}
	got := s.search(testContext(t), t, q)
	if diff := gocmp.Diff(want, got); diff != "" {
		for _, k := range all {
			if slices.Contains(want, k.doc.ID) != slices.Contains(got, k.doc.ID) {
				t.Logf("differs: %s", k.doc.Body)
			}
		}
		t.Fatalf("Search (-want +got):\n%s", diff)
	}
	if n, err := s.Count(testContext(t), q); err != nil || n != int64(len(want)) {
		t.Fatalf("Count gave %d, %v, want %d", n, err, len(want))
	}
}

func (s *suite) compareGroups(t *rapid.T, all []known) {
	var where filter.Expr
	if rapid.Bool().Draw(t, "filtered") {
		where = expressions(1).Draw(t, "where")
	}
	q, hits := s.query(t, all, where)
	by := rapid.SliceOfN(anyField(), 0, 2).Draw(t, "by")
	interval := rapid.SampledFrom([]time.Duration{0, 0, time.Microsecond, time.Millisecond, time.Second, time.Hour}).Draw(t, "interval")
	reference := store.NewGroups(by, interval)
	for _, k := range hits {
		reference.Add(k.e)
	}
	want := counts{}
	for _, b := range reference.All() {
		want[printed(b)] = group{b.Count, b.Weight}
	}
	if diff := gocmp.Diff(want, s.groups(t, q, by, interval), about()); diff != "" {
		t.Fatalf("groups (-want +got):\n%s", diff)
	}
}
