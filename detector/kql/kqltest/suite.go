package kqltest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"

	"pgregory.net/rapid"
)

// Kibana asks an Elasticsearch directly: the ids of the documents in an index that a query finds.
type Kibana func(ctx context.Context, index string, query map[string]any) ([]string, error)

// events is how many of either sort there are.
const events = 200

// Run draws events and then rounds times as many queries as rapid is told to (100), and compares what each selects in
// memory, in the store and, where kibana is not nil, through Kibana's own request. The store must be set up; the
// indices are dropped in the end.
func Run(t *testing.T, st store.Store, rounds int, kibana Kibana) {
	t.Helper()
	s := suite{store: st, kibana: kibana, run: fmt.Sprintf("kql%d", time.Now().UnixNano()), events: map[string]*event.Event{}}
	t.Cleanup(func() {
		for _, index := range []string{s.index(false), s.index(true)} {
			if err := st.Drop(context.Background(), index); err != nil { // the test's own context has ended
				t.Errorf("dropping %s: %v", index, err)
			}
		}
	})
	s.put(t, false)
	s.put(t, true)
	for i := range rounds {
		t.Run(fmt.Sprint("round ", i), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { s.check(t, Queries().Draw(t, "query")) })
		})
	}
}

type suite struct {
	store  store.Store
	kibana Kibana
	run    string
	events map[string]*event.Event
}

// index names the index of the events that Elasticsearch keeps exactly, or of the fine ones.
func (s suite) index(fine bool) string { return fmt.Sprintf("im-connection-info-%s-%t", s.run, fine) }

func (s suite) put(t *testing.T, fine bool) {
	t.Helper()
	var docs []store.Doc
	for i := range events {
		id := fmt.Sprintf("%t-%03d", fine, i)
		d := store.Doc{Index: s.index(fine), ID: id, Body: []byte(bodies(id, fine).Example(int(time.Now().UnixNano()%1e9) + i))}
		e := &event.Event{}
		if err := event.Decode(d.Body, e); err != nil {
			t.Fatalf("the generator made no event: %v\n%s", err, d.Body)
		}
		s.events[id], docs = e, append(docs, d)
	}
	results, err := s.store.Put(t.Context(), docs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != store.Stored {
			t.Fatalf("%v: %s\n%s", r.Outcome, r.Reason, docs[i].Body)
		}
	}
	if err := s.store.Refresh(t.Context(), s.index(fine)); err != nil {
		t.Fatal(err)
	}
}

func (s suite) check(t *rapid.T, q Query) {
	x, err := kql.Parse(q.Text)
	if err != nil {
		t.Fatalf("%s\n%v", q.Text, err)
	}
	match := filter.Compile(x)
	var want, coarse []string
	for _, id := range slices.Sorted(maps.Keys(s.events)) {
		if match(s.events[id]) {
			want = append(want, id)
			if id < "true" {
				coarse = append(coarse, id)
			}
		}
	}
	var got []string
	for hit, err := range s.store.Search(t.Context(), store.Query{Indices: s.index(false) + "," + s.index(true), Where: x}) {
		if err != nil {
			t.Fatalf("%s\nsearching: %v", q.Text, err)
		}
		got = append(got, hit.ID)
	}
	s.same(t, q, "the store", want, got)
	n, err := s.store.Count(t.Context(), store.Query{Indices: s.index(false) + "," + s.index(true), Where: x})
	if err != nil || n != int64(len(want)) {
		t.Fatalf("%s\nthe store counts %d (%v), and there are %d", q.Text, n, err, len(want))
	}
	if s.kibana == nil {
		return
	}
	got, err = s.kibana(t.Context(), s.index(false), q.Kibana)
	if err != nil {
		t.Fatalf("%s\nasking as Kibana: %v", q.Text, err)
	}
	s.same(t, q, "Kibana", coarse, got)
}

// same wants the events in memory and those found elsewhere to be the same.
func (s suite) same(t *rapid.T, q Query, who string, want, got []string) {
	slices.Sort(got)
	if slices.Equal(want, got) {
		return
	}
	request, err := json.Marshal(q.Kibana)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Logf("%s\n%s", q.Text, request)
	for _, id := range slices.Sorted(maps.Keys(s.events)) {
		here, there := slices.Contains(want, id), slices.Contains(got, id)
		if here != there {
			t.Fatalf("in memory %t, in %s %t:\n%s\n%s", here, who, there, q.Text, s.events[id].AppendJSON(nil))
		}
	}
	t.Fatalf("%s: %s found %d events, in memory there are %d", q.Text, who, len(got), len(want))
}
