package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

func testSearch(t *testing.T, s *suite) {
	t.Helper()
	t.Run("order and range", func(t *testing.T) { testOrder(t, s) })
	t.Run("ingested", func(t *testing.T) { testIngested(t, s) })
	t.Run("many alternatives", func(t *testing.T) { testAlternatives(t, s) })
	t.Run("deep", func(t *testing.T) { testDeep(t, s) })
	t.Run("early end", func(t *testing.T) { testEarlyEnd(t, s) })
}

// testOrder has events nanoseconds apart, in two indices, with ids against the order of time.
func testOrder(t *testing.T, s *suite) {
	t.Helper()
	x, y := s.index("order-x"), s.index("order-y")
	at := func(ns int) time.Time { return base().Add(time.Duration(ns)) }
	s.put(t,
		docOf(x, eventAt("e", at(-1))), docOf(y, eventAt("d", at(0))), docOf(x, eventAt("c", at(1))),
		docOf(y, eventAt("b", at(1))), docOf(x, eventAt("a", at(999_999))), docOf(y, eventAt("A", at(1_000_000))),
		docOf(x, eventAt("same", at(5_000_000))), docOf(y, eventAt("same", at(5_000_000))),
		docOf(x, eventAt("past", time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC))))
	s.expect(t, store.Query{Indices: x + "," + y}, "past", "e", "d", "b", "c", "a", "A", "same", "same")
	for _, c := range []struct {
		from, to time.Time
		want     []string
	}{
		{at(0), at(1), []string{"d"}},
		{at(1), at(2), []string{"b", "c"}},
		{at(1), at(999_999), []string{"b", "c"}},
		{at(-1), at(1_000_000), []string{"e", "d", "b", "c", "a"}},
		{at(0), at(1_000_000), []string{"d", "b", "c", "a"}},
		{at(999_999), at(1_000_001), []string{"a", "A"}},
		{time.Time{}, at(0), []string{"past", "e"}},
		{at(1_000_000), time.Time{}, []string{"A", "same", "same"}},
		{at(2), at(2), []string{}},
		{at(3), at(1), []string{}},
		{time.Date(1, 2, 3, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), []string{"past", "e", "d", "b", "c", "a", "A", "same", "same"}},
	} {
		t.Run(fmt.Sprintf("%s to %s", c.from.Format(time.TimeOnly+".000000000"), c.to.Format(time.TimeOnly+".000000000")), func(t *testing.T) {
			s.expect(t, store.Query{Indices: s.index("order-*"), From: c.from, To: c.to}, c.want...)
			// What arrives at a nanosecond is found by it as a condition too.
			s.expect(t, store.Query{Indices: s.index("order-*"), Where: timeRange(c.from, c.to)}, c.want...)
		})
	}
}

func timeRange(from, to time.Time) filter.Expr {
	r := filter.Range{Field: field("@timestamp"), FromClosed: true}
	if v := event.DateValue(from); !from.IsZero() && from.Year() > 1700 {
		r.From = &v
	}
	if v := event.DateValue(to); !to.IsZero() && to.Year() < 2200 {
		r.To = &v
	}
	return r
}

func testIngested(t *testing.T, s *suite) {
	t.Helper()
	index := s.index("ingested")
	var docs []store.Doc
	for i := range 4 {
		e := eventAt(fmt.Sprint(i), base().Add(time.Duration(-i)*time.Minute))
		if i < 3 {
			e.SetTime(event.FieldEventIngested, base().Add(time.Duration(i)*500*time.Microsecond))
		}
		docs = append(docs, docOf(index, e))
	}
	s.put(t, docs...)
	q := func(ns int) store.Query {
		return store.Query{Indices: index, IngestedFrom: base().Add(time.Duration(ns))}
	}
	s.expect(t, q(0), "2", "1", "0")
	s.expect(t, q(1), "2", "1")
	s.expect(t, q(500_000), "2", "1")
	s.expect(t, q(500_001), "2")
	s.expect(t, q(1_000_001))
	both := q(0)
	both.From, both.To = base().Add(-time.Minute), base()
	s.expect(t, both, "1")
}

// testAlternatives asks for thousands of values at once, as the query evaluator does.
func testAlternatives(t *testing.T, s *suite) {
	t.Helper()
	index := s.index("or")
	var docs []store.Doc
	var or, and filter.Or
	var want []string
	for i := range 3000 {
		id := fmt.Sprintf("%05d", i)
		e := eventAt(id, base().Add(time.Duration(i)))
		e.SetText(event.FieldUserID, "u"+id)
		e.SetText(event.FieldClientIP, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
		e.SetText(event.FieldSessionID, "s"+id)
		docs = append(docs, docOf(index, e))
		if i%2 == 0 {
			or = append(or, keyword("user.id", "u"+id))
			and = append(and, filter.And{
				filter.Equal{Field: field("client.ip"), Value: event.IPValue(e.Text(event.FieldClientIP))}, keyword("im.session.id", "s"+id),
			})
			want = append(want, id)
		}
	}
	s.put(t, docs...)
	s.expect(t, store.Query{Indices: index, Where: or}, want...)
	s.expect(t, store.Query{Indices: index, Where: and}, want...)
}

// testDeep nests deeper than servers like it.
func testDeep(t *testing.T, s *suite) {
	t.Helper()
	index := s.index("deep")
	s.put(t, docOf(index, eventAt("1", base())))
	x := keyword("event.action", event.ActionConnect.Code)
	for i := range 200 {
		if x = filter.Expr(filter.Or{filter.Not{X: x}, filter.None{}}); i%2 == 1 {
			x = filter.And{filter.All{}, x}
		}
	}
	s.expect(t, store.Query{Indices: index, Where: x}, "1")
	s.expect(t, store.Query{Indices: index, Where: filter.Not{X: x}})
}

func testEarlyEnd(t *testing.T, s *suite) {
	t.Helper()
	index := s.index("early")
	for i := range 3 {
		s.put(t, docOf(index, eventAt(fmt.Sprint(i+1), base().Add(time.Duration(i)*time.Second))))
	}
	var got []string
	for h, err := range s.Search(t.Context(), store.Query{Indices: index}) {
		if err != nil {
			t.Fatal(err)
		}
		// A reader may use the store meanwhile.
		s.expect(t, store.Query{Indices: index}, "1", "2", "3")
		s.results(t, docOf(s.index("late"), eventAt("later-"+h.ID, base())))
		if got = append(got, h.ID); len(got) == 2 {
			break
		}
	}
	if !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got %q", got)
	}
}
