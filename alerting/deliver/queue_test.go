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
					Due:    now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "due")) * time.Second),
					Urgent: rapid.Bool().Draw(t, "urgent"),
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
				head, urgent, _, ok := q.Head(now)
				if got := q.Waiting(now, false, 100); (got > 0) != ok || got != due(waiting, now) {
					t.Fatalf("%d are waiting, expected %d", got, due(waiting, now))
				}
				rs := q.Take(now, 1)
				if ok != (len(rs) == 1) || ok && rs[0].ID != head.ID {
					t.Fatalf("head is %+v, taken %+v", head, rs)
				}
				if !ok {
					for id, w := range waiting {
						if first(waiting, w) && !w.Due.After(now) {
							t.Fatalf("%s is due and was not given", id)
						}
					}
					return
				}
				r := rs[0]
				if !urgent && dueUrgent(waiting, now) {
					t.Fatalf("something urgent is due, and was given %+v", r)
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

// due counts the alerts whose first notification is due.
func due(waiting map[string]outbox.Ref, now time.Time) int {
	n := 0
	for _, w := range waiting {
		if first(waiting, w) && !w.Due.After(now) {
			n++
		}
	}
	return n
}

// dueUrgent says whether an alert of which something urgent waits has its first notification due.
func dueUrgent(waiting map[string]outbox.Ref, now time.Time) bool {
	for _, u := range waiting {
		for _, w := range waiting {
			if u.Urgent && w.AlertID == u.AlertID && first(waiting, w) && !w.Due.After(now) {
				return true
			}
		}
	}
	return false
}

func TestQueueGivesManyTheUrgentFirst(t *testing.T) {
	q, now := deliver.NewQueue(), time.Unix(1_800_000_000, 0)
	for i := range 10 {
		q.Add(outbox.Ref{ID: fmt.Sprint(i), AlertID: fmt.Sprint(i), At: now.Add(time.Duration(i)), Urgent: i >= 7})
	}
	q.Add(outbox.Ref{ID: "later", AlertID: "later", Due: now.Add(time.Second)})
	if n := q.Waiting(now, true, 100); n != 3 {
		t.Errorf("%d urgent", n)
	}
	if n := q.Waiting(now, false, 4); n != 4 {
		t.Errorf("counted %d, 4 were enough", n)
	}
	var got string
	for _, r := range q.Take(now, 5) {
		got += r.ID
	}
	if got != "78901" {
		t.Errorf("took %s", got)
	}
	if n := len(q.Take(now, 100)); n != 5 {
		t.Errorf("%d were left", n)
	}
	if n := len(q.Take(now.Add(time.Second), 100)); n != 1 {
		t.Errorf("%d came due", n)
	}
}

// TestQueueTellsWhoWaits: what is held, and what comes behind it, is not counted as waiting.
func TestQueueTellsWhoWaits(t *testing.T) {
	q, now := deliver.NewQueue(), time.Unix(1_800_000_000, 0)
	for i, alert := range []string{"a", "b", "b", "c"} {
		q.Add(outbox.Ref{ID: fmt.Sprint(i), AlertID: alert, Kind: channel.Updated, Moment: now.Add(time.Duration(i)), At: now.Add(time.Duration(i) * time.Second)})
	}
	if w := q.Look(); w != (deliver.Waiting{Count: 4, Oldest: now}) {
		t.Errorf("%+v", w)
	}
	for _, r := range q.Take(now, 2) { // a and the first of b
		q.Hold(r, now.Add(time.Hour))
	}
	if w := q.Look(); w != (deliver.Waiting{Count: 1, Oldest: now.Add(3 * time.Second), Held: 3, Since: now}) {
		t.Errorf("%+v", w)
	}
	q.Release(now)
	if w := q.Look(); w.Count != 4 || w.Held != 0 {
		t.Errorf("released: %+v", w)
	}
}

func TestQueueSaysWhenToLook(t *testing.T) {
	q, now := deliver.NewQueue(), time.Unix(1_800_000_000, 0)
	if _, _, wait, ok := q.Head(now); ok || wait != 0 {
		t.Errorf("an empty queue: %v, %v", wait, ok)
	}
	q.Add(outbox.Ref{ID: "x", AlertID: "a", Due: now.Add(time.Minute)})
	if _, _, wait, ok := q.Head(now); ok || wait != time.Minute {
		t.Errorf("%v, %v", wait, ok)
	}
	if !q.Has("a") || q.Has("b") {
		t.Error("Has")
	}
}

func TestPaceNeverPassesItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.IntRange(1, 5).Draw(t, "calls")
		reserve := rapid.IntRange(0, calls-1).Draw(t, "reserve")
		p := deliver.NewPace(channel.Budget{
			Calls: calls, Per: time.Minute, Reserve: reserve, Fold: rapid.SampledFrom([]int{0, 1000}).Draw(t, "fold"),
		})
		now := time.Unix(1_800_000_000, 0)
		type call struct {
			begin, end time.Time
			urgent     bool
			turn       deliver.Turn
		}
		var done, under []call
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			if len(under) > 0 && rapid.Bool().Draw(t, "end") {
				under[0].turn.End(now, true)
				under[0].end = now
				done, under = append(done, under[0]), under[1:]
				continue
			}
			urgent := rapid.Bool().Draw(t, "urgent")
			turn, wait := p.Take(t.Context(), now, urgent)
			if wait > time.Minute || wait < 0 {
				t.Fatalf("wait %v", wait)
			}
			if wait == 0 {
				under = append(under, call{begin: now, urgent: urgent, turn: turn})
			}
		}
		for _, c := range under {
			c.end = now
			done = append(done, c)
		}
		// The provider may count a call at any moment between begin and end; even then no stretch holds too many:
		// whatever ended less than a minute before a call began could be counted in one stretch with it.
		for _, c := range done {
			near, common := 0, 0
			for _, d := range done {
				if !d.begin.After(c.begin) && c.begin.Sub(d.end) < time.Minute {
					near++
					if !d.urgent {
						common++
					}
				}
			}
			if common > calls-reserve {
				t.Fatalf("%d calls that are not urgent around %v, %d are kept of %d", common, c.begin, reserve, calls)
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
		if _, d := p.Take(t.Context(), now, false); d != 0 {
			t.Fatalf("no budget, and %v to wait", d)
		}
	}
	p.Block(t.Context(), now, now.Add(time.Hour))
	p.Block(t.Context(), now, now.Add(time.Minute))
	if _, d := p.Take(t.Context(), now, false); d != time.Hour {
		t.Errorf("%v", d)
	}
	if _, d := p.Take(t.Context(), now.Add(time.Hour), false); d != 0 {
		t.Errorf("%v after the time", d)
	}
}

func BenchmarkQueue(b *testing.B) {
	q, now := deliver.NewQueue(), time.Unix(1_800_000_000, 0)
	for i := range 10_000 {
		q.Add(outbox.Ref{ID: fmt.Sprint(i), AlertID: fmt.Sprint(i), At: now})
	}
	for b.Loop() {
		q.Again(q.Take(now, 1)[0], now)
	}
}
