package deliver

import (
	"fmt"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"

	"pgregory.net/rapid"
)

// whole says what is wrong with a queue: a line that stands in no heap or in two, a heap out of order, a group that does
// not know its lines.
func (q *Queue) whole() string {
	standing := map[*line]int{}
	for _, h := range []headHeap{q.urgent, q.others} {
		for i, l := range h {
			standing[l]++
			if l.at != i {
				return "a line does not know its place"
			}
			if i > 0 && h.Less(i, (i-1)/2) {
				return "a heap is out of order"
			}
		}
	}
	refs := 0
	for id, l := range q.alerts {
		refs += len(l.refs)
		if (l.taken == 0) != (standing[l] == 1) || l.taken > len(l.refs) {
			return fmt.Sprintf("%s is taken %d times of %d and stands in %d heaps", id, l.taken, len(l.refs), standing[l])
		}
		group := l.refs[0].Group
		if l.taken == 0 && (group != "") != (l.group != nil) || l.group != nil && l.taken == 0 && l.group.id != group {
			return id + " stands in another group than its first"
		}
	}
	if len(standing) > len(q.alerts) || refs != len(q.known) {
		return "something is left over"
	}
	for id, c := range q.groups {
		for l := range c.lines {
			if l.group != c || len(l.refs) == 0 {
				return id + " has a line that is not its own"
			}
		}
	}
	return ""
}

// TestQueueOfGroups drives a queue with every mix of calls: it stays whole, loses nothing, gives nothing twice and no
// group before it is due, and of a group all that is due at once, each alert's states in their order.
func TestQueueOfGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, now := NewQueue(), time.Unix(1_800_000_000, 0)
		in, taken := map[string]outbox.Ref{}, []outbox.Ref(nil)
		n := 0
		back := func(t *rapid.T, what string, f func(outbox.Ref)) {
			if len(taken) == 0 {
				t.Skip("nothing is taken")
			}
			i := rapid.IntRange(0, len(taken)-1).Draw(t, what)
			f(taken[i])
			taken = append(taken[:i:i], taken[i+1:]...)
		}
		group := rapid.SampledFrom([]string{"g", "h"})
		after := func(t *rapid.T) time.Time {
			return now.Add(time.Duration(rapid.IntRange(-5, 20).Draw(t, "after")) * time.Second)
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n++
				r := outbox.Ref{
					ID: fmt.Sprint(n), AlertID: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "alert"), At: now, Interval: 10 * time.Second,
					Kind:   rapid.SampledFrom([]channel.Kind{channel.Firing, channel.Updated, channel.Repeat, channel.Resolved}).Draw(t, "kind"),
					Moment: now.Add(time.Duration(n)), Rank: rapid.IntRange(0, 3).Draw(t, "rank"), Urgent: rapid.Bool().Draw(t, "urgent"),
					Group: rapid.SampledFrom([]string{"", "g", "g", "h"}).Draw(t, "group"), Wait: after(t),
				}
				r.Rose = r.Kind == channel.Updated && rapid.Bool().Draw(t, "rose")
				q.Add(r)
				in[r.ID] = r
			},
			"take": func(t *rapid.T) {
				if len(taken) > 0 {
					t.Skip("one sender takes one thing at a time")
				}
				head, _, _, ok := q.Head(now)
				if !ok {
					return
				}
				if groups := q.Unsure(now, 10); len(groups) > 0 {
					if head.Group == "" {
						t.Fatalf("asked about %v for a notification without a group", groups)
					}
					return
				}
				if head.Group == "" {
					taken = q.Take(now, 1)
				} else {
					taken = q.TakeGroup(head.Group, now, rapid.IntRange(1, 9).Draw(t, "n"))
				}
				last := map[string]outbox.Ref{}
				for _, r := range taken {
					before, again := last[r.AlertID]
					if _, there := in[r.ID]; !there || r.Group != head.Group || r.Due.After(now) || again && r.Before(before) {
						t.Fatalf("given %+v after %+v", r, before)
					}
					last[r.AlertID] = r
				}
				if len(taken) == 0 {
					t.Fatalf("the head was due and nothing is given: %+v", head)
				}
			},
			"ask": func(t *rapid.T) {
				if len(taken) > 0 {
					t.Skip("one sender does one thing at a time")
				}
				gone := map[string]bool{}
				g := group.Draw(t, "group")
				for id := range q.Of(map[string]time.Duration{g: 0}) {
					if rapid.IntRange(0, 4).Draw(t, "gone") == 0 {
						gone[id] = true
						delete(in, id)
					}
				}
				q.Learn(g, Timing{First: after(t), Floor: after(t), Rank: rapid.IntRange(-1, 3).Draw(t, "rank"), Breaks: rapid.Bool().Draw(t, "breaks")},
					func(id string) bool { return gone[id] }, now)
			},
			"drop": func(t *rapid.T) {
				back(t, "drop", func(r outbox.Ref) {
					q.Drop(r)
					delete(in, r.ID)
				})
			},
			"again":   func(t *rapid.T) { back(t, "again", func(r outbox.Ref) { q.Again(r, after(t)) }) },
			"hold":    func(t *rapid.T) { back(t, "hold", func(r outbox.Ref) { q.Hold(r, after(t)) }) },
			"release": func(*rapid.T) { q.Release(now) },
			"told": func(t *rapid.T) {
				q.Told(group.Draw(t, "group"), now, rapid.IntRange(-1, 3).Draw(t, "rank"), rapid.Bool().Draw(t, "all"))
			},
			"later": func(t *rapid.T) { q.Later(group.Draw(t, "group"), after(t)) },
			"time":  func(*rapid.T) { now = now.Add(3 * time.Second) },
			"": func(t *rapid.T) {
				if fault := q.whole(); fault != "" {
					t.Fatal(fault)
				}
				if q.Len() != len(in) {
					t.Fatalf("%d in the queue, %d put in and not out", q.Len(), len(in))
				}
			},
		})
	})
}

// TestClustersAreForgotten: groups of which nothing waits and nothing was told lately take no memory.
func TestClustersAreForgotten(t *testing.T) {
	t.Parallel()
	q, now := NewQueue(), time.Unix(1_800_000_000, 0)
	for i := range 20_000 {
		now = now.Add(time.Second)
		id := fmt.Sprint(i)
		q.Add(outbox.Ref{ID: id, AlertID: id, Kind: channel.Firing, At: now, Wait: now, Group: id, Interval: time.Minute})
		for _, r := range q.TakeGroup(id, now, 10) {
			q.Drop(r)
		}
		q.Told(id, now, 1, true)
	}
	if n := len(q.groups); n > 3000 {
		t.Errorf("%d groups are remembered, of 60 something was told in the last minute", n)
	}
}
