package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// counts are the documents and the weight of each group, by its key in print.
type counts map[string]group

type group struct {
	Count  int64
	Weight float64
}

func (c counts) total() (n int64) {
	for _, g := range c {
		n += g.Count
	}
	return n
}

// printed joins a key for comparison; what is absent stands as "-".
func printed(b store.Bucket) string {
	parts := make([]string, len(b.Key))
	for i, k := range b.Key {
		if parts[i] = "=" + k; b.Absent[i] {
			parts[i] = "-"
			if k != "" {
				parts[i] = "- with a key: " + k
			}
		}
	}
	return strings.Join(parts, "|")
}

// groups asks for groups and that each come once.
func (s *suite) groups(t fataler, q store.Query, by []filter.Field, interval time.Duration) counts {
	t.Helper()
	got := counts{}
	for b, err := range s.Aggregate(testContext(t), q, by, interval) {
		if err != nil {
			t.Fatalf("Aggregate: %v", err)
		}
		if len(b.Key) != len(b.Absent) {
			t.Fatalf("a bucket with %d keys and %d marks of absence", len(b.Key), len(b.Absent))
		}
		key := printed(b)
		if _, twice := got[key]; twice {
			t.Fatalf("the group %s came twice", key)
		}
		got[key] = group{b.Count, b.Weight}
	}
	return got
}

func testAggregate(t *testing.T, s *suite) {
	t.Helper()
	index := s.index("agg")
	with := func(id string, at time.Duration, set func(*event.Event)) store.Doc {
		e := eventAt(id, base().Add(at))
		set(e)
		return docOf(index, e)
	}
	s.put(t,
		with("1", 0, func(e *event.Event) { e.SetText(event.FieldUserID, "u1"); e.SetInt(event.FieldHTTPStatus, 401) }),
		with("2", time.Nanosecond, func(e *event.Event) { e.SetText(event.FieldUserID, "u1"); e.SetFloat(event.FieldSampleWeight, 10) }),
		with("3", time.Minute-1, func(e *event.Event) { e.SetFloat(event.FieldSampleWeight, 2.5) }),
		with("4", time.Minute, func(e *event.Event) {
			e.SetText(event.FieldUserID, "")
			e.SetList(event.FieldEventCategory, "session", "network")
		}),
		with("5", 2*time.Minute, func(e *event.Event) {
			e.SetText(event.FieldClientIP, "2001:DB8:0::1")
			e.SetText(event.FieldUserID, "|=-")
			e.SetBool(event.FieldCloseClean, true)
		}),
		raw(index, "6", `{"@timestamp":"2026-11-21T08:32:00Z","user":{"id":""},"event":{"category":["network","network"]},"client":{"ip":"::ffff:192.0.2.1"}}`))
	q := store.Query{Indices: index}
	for name, c := range map[string]struct {
		q        store.Query
		by       []string
		interval time.Duration
		want     counts
	}{
		"all":            {q, nil, 0, counts{"": {6, 16.5}}},
		"one":            {q, []string{"user.id"}, 0, counts{"=u1": {2, 11}, "-": {2, 3.5}, "=|=-": {1, 1}, "=": {1, 1}}},
		"number":         {q, []string{"http.response.status_code"}, 0, counts{"=401": {1, 1}, "-": {5, 15.5}}},
		"boolean":        {q, []string{"im.close.clean"}, 0, counts{"=true": {1, 1}, "-": {5, 15.5}}},
		"address":        {q, []string{"client.ip"}, 0, counts{"=2001:db8::1": {1, 1}, "=192.0.2.1": {1, 1}, "-": {4, 14.5}}},
		"list":           {q, []string{"event.category"}, 0, counts{"=session": {1, 1}, "=network": {2, 2}, "-": {4, 14.5}}},
		"several":        {q, []string{"user.id", "event.category"}, 0, counts{"=u1|-": {2, 11}, "-|-": {1, 2.5}, "-|=session": {1, 1}, "-|=network": {1, 1}, "=|=-|-": {1, 1}, "=|=network": {1, 1}}},
		"weight":         {q, []string{"im.sample.weight"}, 0, counts{"=10": {1, 10}, "=2.5": {1, 2.5}, "-": {4, 4}}},
		"interval":       {q, nil, time.Minute, counts{"=2026-11-21T08:30:00.000Z": {3, 13.5}, "=2026-11-21T08:31:00.000Z": {1, 1}, "=2026-11-21T08:32:00.000Z": {2, 2}}},
		"odd interval":   {q, nil, 11 * time.Hour, counts{"=2026-11-21T02:00:00.000Z": {6, 16.5}}},
		"nanoseconds":    {q, nil, 1, counts{"=2026-11-21T08:30:00.000Z": {1, 1}, "=2026-11-21T08:30:00.000000001Z": {1, 10}, "=2026-11-21T08:30:59.999999999Z": {1, 2.5}, "=2026-11-21T08:31:00.000Z": {1, 1}, "=2026-11-21T08:32:00.000Z": {2, 2}}},
		"both":           {q, []string{"user.id"}, time.Hour, counts{"=u1|=2026-11-21T08:00:00.000Z": {2, 11}, "-|=2026-11-21T08:00:00.000Z": {2, 3.5}, "=|=-|=2026-11-21T08:00:00.000Z": {1, 1}, "=|=2026-11-21T08:00:00.000Z": {1, 1}}},
		"range":          {store.Query{Indices: index, From: base().Add(1), To: base().Add(time.Minute)}, []string{"user.id"}, 0, counts{"=u1": {1, 10}, "-": {1, 2.5}}},
		"where":          {store.Query{Indices: index, Where: keyword("user.id", "u1")}, []string{"user.id"}, 0, counts{"=u1": {2, 11}}},
		"nothing":        {store.Query{Indices: index, Where: keyword("user.id", "u9")}, []string{"user.id"}, 0, counts{}},
		"nothing at all": {store.Query{Indices: index, Where: filter.None{}}, nil, 0, counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			var by []filter.Field
			for _, f := range c.by {
				by = append(by, field(f))
			}
			if diff := cmp.Diff(c.want, s.groups(t, c.q, by, c.interval)); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
}

// about compares sums of weights, which a store may keep as 32-bit numbers.
func about() cmp.Option { return cmpopts.EquateApprox(1e-6, 0) }
