package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/query"
	"imwatch/event"
	"imwatch/internal/store"
)

// incident is one alert as people see it: from when to when, without what it was worth.
type incident struct {
	key      string
	from, to time.Time // to is the zero time while it is open
}

func (i incident) String() string {
	if i.to.IsZero() {
		return fmt.Sprintf("[%s] from %v, open", i.key, i.from.Sub(base))
	}
	return fmt.Sprintf("[%s] from %v to %v", i.key, i.from.Sub(base), i.to.Sub(base))
}

// incidents puts state changes together, and holds them to their order: firing, updated, resolved, each alert once.
func incidents(t fatal, alerts []*event.Alert) []incident {
	t.Helper()
	place := map[string]int{}
	var all []incident
	for _, a := range alerts {
		i, known := place[a.ID]
		switch {
		case a.State == event.StateFiring && !known:
			place[a.ID] = len(all)
			all = append(all, incident{key: a.KeyString(), from: a.From})
		case a.State == event.StateFiring:
			t.Fatalf("told twice: %v", brief([]*event.Alert{a}))
		case !known:
			t.Fatalf("told of what never fired: %v", brief([]*event.Alert{a}))
		case !all[i].to.IsZero():
			t.Fatalf("told after it was resolved: %v", brief([]*event.Alert{a}))
		case a.State == event.StateResolved:
			all[i].to = a.Time
		}
	}
	return all
}

// meets says whether two incidents of a key share an instant.
func (i incident) meets(o incident) bool {
	return i.key == o.key && (o.to.IsZero() || !i.from.After(o.to)) && (i.to.IsZero() || !o.from.After(i.to))
}

// TestLateDocumentsLeaveNothingOut lets documents arrive whenever they like: of everything that a stream tells that saw
// all of them in time, something is told, once, and in the end the same is open.
func TestLateDocumentsLeaveNothingOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		s := open(t, fmt.Sprintf("%s/%d", dir, n))
		defer s.Close()
		r, events := drawRule(t), drawEvents(t)
		failing := rapid.Bool().Draw(t, "failing")
		reader := flaky{s, func() bool { return failing && rapid.IntRange(0, 30).Draw(t, "fails") == 0 }}
		o := query.Options{From: base, LookBack: time.Hour, Most: rapid.SampledFrom([]int{0, 1, 7}).Draw(t, "most")}
		q, err := query.New(r, reader, o)
		if err != nil {
			t.Fatal(err)
		}
		end := base.Add(4 * time.Minute)
		var got []*event.Alert
		waiting := events
		for now := base; ; {
			until := now.Add(drawRun(t))
			if until.After(end) {
				until = end
			}
			var arrived []*event.Event
			waiting = slices.DeleteFunc(slices.Clone(waiting), func(e *event.Event) bool {
				first := e == events[0] // the stream begins with it
				if now.Before(end) && (e.Time().After(until) || !first && rapid.IntRange(0, 3).Draw(t, "late") == 0) {
					return false
				}
				e.SetTime(event.FieldEventIngested, now.Add(time.Millisecond))
				arrived = append(arrived, e)
				return true
			})
			if len(arrived) > 0 {
				put(t, s, arrived...)
			}
			last := !now.Before(end)
			failing = failing && !last
			alerts, _, err := q.Run(context.Background(), until, until)
			if err != nil && (last || !errors.Is(err, store.ErrUnavailable)) {
				t.Fatal(err)
			}
			got = append(got, alerts...)
			if rapid.Bool().Draw(t, "restart") {
				if q, err = query.Restore(r, reader, o, q.Progress()); err != nil {
					t.Fatal(err)
				}
			}
			if now = until; last {
				break
			}
		}
		told, all := incidents(t, got), incidents(t, streamed(t, r, events, end))
		for _, i := range all {
			if !slices.ContainsFunc(told, i.meets) {
				t.Errorf("not told: %v\ntold: %v", i, told)
			}
		}
		open := func(i incident) bool { return i.to.IsZero() }
		for _, i := range told {
			if open(i) && !slices.ContainsFunc(all, func(o incident) bool { return open(o) && o.meets(i) }) {
				t.Errorf("left open: %v\nopen: %v", i, all)
			}
		}
		for _, i := range all {
			if open(i) && !slices.ContainsFunc(told, func(o incident) bool { return open(o) && o.meets(i) }) {
				t.Errorf("resolved though it is open: %v\ntold: %v", i, told)
			}
		}
		for n, i := range told {
			if slices.ContainsFunc(told[n+1:], func(o incident) bool { return open(i) && open(o) && o.key == i.key }) {
				t.Errorf("open twice: %v\ntold: %v", i, told)
			}
		}
	})
}
