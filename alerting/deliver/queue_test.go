package deliver_test

import (
	"fmt"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/alerting/outbox"

	"pgregory.net/rapid"
)

// TestQueueModel drives a queue with every mix of calls and holds it to its promises: nothing lost, nothing twice,
// nothing before it is due, and an alert's states in order as far as they are there.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := deliver.NewQueue()
		now := time.Unix(1_800_000_000, 0)
		waiting := map[string]outbox.Ref{}
		var taken *outbox.Ref
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				kind := rapid.SampledFrom([]channel.Kind{channel.Firing, channel.Updated, channel.Resolved}).Draw(t, "kind")
				moment := now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "moment")) * time.Second)
				alert := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "alert")
				r := outbox.Ref{
					ID: outbox.ID(alert, kind, moment, "r"), AlertID: alert, Kind: kind, Moment: moment, At: now,
					Due: now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "due")) * time.Second),
				}
				q.Add(r)
				if _, known := waiting[r.ID]; !known && (taken == nil || taken.ID != r.ID) {
					waiting[r.ID] = r
				}
			},
			"next": func(t *rapid.T) {
				if taken != nil {
					t.Skip("one sender takes one at a time")
				}
				r, _, ok := q.Next(now)
				if !ok {
					for id, w := range waiting {
						if first(waiting, w) && !w.Due.After(now) {
							t.Fatalf("%s is due and was not given", id)
						}
					}
					return
				}
				if r.Due.After(now) || !first(waiting, r) {
					t.Fatalf("given too early or out of order: %+v of %v", r, waiting)
				}
				delete(waiting, r.ID)
				taken = &r
			},
			"drop": func(t *rapid.T) {
				if taken == nil {
					t.Skip("nothing is taken")
				}
				q.Drop(*taken)
				taken = nil
			},
			"again": func(t *rapid.T) {
				if taken == nil {
					t.Skip("nothing is taken")
				}
				taken.Due = now.Add(time.Second)
				q.Again(*taken, taken.Due)
				waiting[taken.ID] = *taken
				taken = nil
			},
			"time": func(*rapid.T) { now = now.Add(time.Second) },
			"": func(t *rapid.T) {
				n := len(waiting)
				if taken != nil {
					n++
				}
				if q.Len() != n {
					t.Fatalf("%d in the queue, expected %d", q.Len(), n)
				}
			},
		})
	})
}

// first says whether nothing of the same alert comes before r.
func first(waiting map[string]outbox.Ref, r outbox.Ref) bool {
	for _, w := range waiting {
		if w.AlertID == r.AlertID && w.Before(r) {
			return false
		}
	}
	return true
}

func TestQueueSaysWhenToLook(t *testing.T) {
	q, now := deliver.NewQueue(), time.Unix(1_800_000_000, 0)
	if _, wait, ok := q.Next(now); ok || wait != 0 {
		t.Errorf("an empty queue: %v, %v", wait, ok)
	}
	q.Add(outbox.Ref{ID: "x", AlertID: "a", Due: now.Add(time.Minute)})
	if _, wait, ok := q.Next(now); ok || wait != time.Minute {
		t.Errorf("%v, %v", wait, ok)
	}
	if !q.Has("a") || q.Has("b") {
		t.Error("Has")
	}
}

func TestPaceNeverPassesItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.IntRange(1, 5).Draw(t, "calls")
		p := deliver.NewPace(channel.Budget{Calls: calls, Per: time.Minute})
		now := time.Unix(1_800_000_000, 0)
		type call struct{ begin, end time.Time }
		var done []call
		var under []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			if len(under) > 0 && rapid.Bool().Draw(t, "end") {
				p.End(now, true)
				done, under = append(done, call{under[0], now}), under[1:]
				continue
			}
			wait := p.Take(now)
			if wait > time.Minute || wait < 0 {
				t.Fatalf("wait %v", wait)
			}
			if wait == 0 {
				under = append(under, now)
			}
		}
		for _, b := range under {
			done = append(done, call{b, now})
		}
		// The provider may count a call at any moment between begin and end; even then no stretch holds too many:
		// whatever ended less than a minute before a call began could be counted in one stretch with it.
		for _, c := range done {
			near := 0
			for _, d := range done {
				if !d.begin.After(c.begin) && c.begin.Sub(d.end) < time.Minute {
					near++
				}
			}
			if near > calls {
				t.Fatalf("%d calls around %v, %d are allowed", near, c.begin, calls)
			}
		}
	})
}

func TestPaceBlock(t *testing.T) {
	p, now := deliver.NewPace(channel.Budget{}), time.Unix(1_800_000_000, 0)
	for range 100 {
		if d := p.Take(now); d != 0 {
			t.Fatalf("no budget, and %v to wait", d)
		}
	}
	p.Block(now.Add(time.Hour))
	p.Block(now.Add(time.Minute))
	if d := p.Take(now); d != time.Hour {
		t.Errorf("%v", d)
	}
	if d := p.Take(now.Add(time.Hour)); d != 0 {
		t.Errorf("%v after the time", d)
	}
}

func BenchmarkQueue(b *testing.B) {
	q, now := deliver.NewQueue(), time.Unix(1_800_000_000, 0)
	for i := range 10_000 {
		q.Add(outbox.Ref{ID: fmt.Sprint(i), AlertID: fmt.Sprint(i), At: now})
	}
	for b.Loop() {
		r, _, _ := q.Next(now)
		q.Again(r, now)
	}
}
