package alerting_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/route"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// result is what is left of a scenario: how often each notification was accepted, in which order those of an alert
// came, and what the ledger says.
type result struct {
	counts  map[string]int // "receiver alert kind moment"
	order   map[string][]string
	pending []string
}

func (r *rig) result() result {
	r.t.Helper()
	out := result{counts: map[string]int{}, order: map[string][]string{}}
	for name, p := range r.phones {
		for _, n := range p.all() {
			what := fmt.Sprintf("%s %s %s %s", name, n.Alert.ID, n.Kind, event.FormatTime(n.Alert.Time))
			if out.counts[what]++; out.counts[what] == 1 {
				key := name + " " + n.Alert.ID
				out.order[key] = append(out.order[key], string(n.Kind)+event.FormatTime(n.Alert.Time))
			}
		}
	}
	for id, doc := range r.store.all("im-notify-*") {
		var d struct {
			IM struct{ Notify struct{ State string } } `json:"im"`
		}
		if err := json.Unmarshal(doc, &d); err != nil {
			r.t.Fatal(err)
		}
		if d.IM.Notify.State != "sent" {
			out.pending = append(out.pending, id+" "+d.IM.Notify.State)
		}
	}
	return out
}

// TestCrashAtEveryStep kills an alerter at each of its calls to store, bus and provider in turn, before the call and
// after it, and starts another one. Each receiver has each notification once; the one exception is a message that the
// provider had taken when the alerter died before it could write that down.
func TestCrashAtEveryStep(t *testing.T) {
	scenario := func(r *rig) {
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 1), state("b", "firing", from, 1), state("a", "updated", from, 2), state("a", "resolved", from, 3))
		shadow := state("s", "firing", from, 1)
		shadow.Status = "shadow"
		r.produce(shadow)
		r.produceRaw("x", []byte("no alert line"))
	}
	setUp := func(t *testing.T) *rig {
		t.Helper()
		r := newRig(t, "ops", "boss")
		r.cfg.Route = route.Config{Routes: []route.Config{
			{Match: []string{"rule = rule-a"}, Receivers: []string{"ops", "boss"}}, {Receivers: []string{"ops"}},
		}}
		return r
	}
	var want result
	steps := 0
	synctest.Test(t, func(t *testing.T) {
		r := setUp(t)
		scenario(r)
		f := newFuse(-1, false)
		_, stop := r.start(f, false)
		pass(2 * time.Second)
		steps, _ = f.state()
		pass(10 * time.Minute)
		stop()
		want = r.result()
	})
	if len(want.counts) != 7 || len(want.pending) != 0 || steps < 40 {
		t.Fatalf("the scenario itself is wrong: %d steps, %+v", steps, want)
	}
	doubled := 0
	for n := range steps + 5 {
		for _, after := range []bool{false, true} {
			var got result
			var where string
			synctest.Test(t, func(t *testing.T) {
				r := setUp(t)
				scenario(r)
				f := newFuse(n, after)
				_, stop := r.start(f, false)
				pass(2 * time.Second)
				_, where = f.state()
				stop()
				r.whole(10 * time.Minute)
				got = r.result()
			})
			extra := compare(t, fmt.Sprintf("killed at call %d (%s, after: %v)", n, where, after), want, got)
			doubled += extra
			// Two senders are at work: when the fuse burns, the other one may be between acceptance and record too.
			if extra > 2 || extra > 0 && where == "" {
				t.Errorf("killed at call %d (%s, after: %v): %d notifications came twice", n, where, after, extra)
			}
		}
	}
	if doubled == 0 {
		t.Error("no acceptance was ever lost: the matrix does not reach the step it is about")
	}
	t.Logf("%d steps, %d notifications accepted and not written down", steps, doubled)
}

// compare demands the same notifications in the same order, and gives how many came more than once.
func compare(t interface{ Errorf(string, ...any) }, name string, want, got result) (extra int) {
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want.counts)), slices.Sorted(maps.Keys(got.counts))); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
	if diff := cmp.Diff(want.order, got.order); diff != "" {
		t.Errorf("%s: order: -want +got\n%s", name, diff)
	}
	if len(got.pending) > 0 {
		t.Errorf("%s: not sent: %v", name, got.pending)
	}
	for _, n := range got.counts {
		extra += n - 1
	}
	return extra
}

// TestCrashBeforeTheSendDoublesNothing looks at the kills outside the one window: none of them may double anything.
func TestCrashBeforeTheSendDoublesNothing(t *testing.T) {
	for n := range 200 {
		var got result
		done := false
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, "ops")
			from := time.Now().UTC()
			r.produce(state("a", "firing", from, 1), state("b", "firing", from, 1))
			f := newFuse(n, false)
			_, stop := r.start(f, false)
			pass(2 * time.Second)
			_, where := f.state()
			record := where == "swap "+"im-notify-"+from.Format("2006.01") && len(r.phones["ops"].all()) > sent(r)
			done = where == ""
			stop()
			r.whole(10 * time.Minute)
			got = r.result()
			for what, times := range got.counts {
				if times > 1 && !record {
					t.Errorf("killed before call %d (%s): %s came %d times", n, where, what, times)
				}
			}
		})
		if len(got.counts) != 2 || len(got.pending) > 0 {
			t.Errorf("killed before call %d: %+v", n, got)
		}
		if done {
			return
		}
	}
	t.Error("the scenario never ended by itself")
}

// sent counts the entries that the ledger knows as sent.
func sent(r *rig) int {
	return len(r.store.all("im-notify-*")) - len(r.result().pending)
}

// TestAnyInterleavingTellsTheSameSet: whatever the order between alerts, however the stream is cut, wherever
// alerters die, how many there are at once and what comes again, each receiver is told the same, in the order of each
// alert's states.
func TestAnyInterleavingTellsTheSameSet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			Produce int  // state changes to produce, round robin over the alerts
			Kill    int  // the alerter dies at this call; -1: it does not
			After   bool // the call is carried out
			Forget  bool // its commits get lost
			Two     bool // another alerter works beside it
			Seconds int
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.IntRange(0, 6).Draw(rt, "produce"), rapid.IntRange(-1, 60).Draw(rt, "kill"), rapid.Bool().Draw(rt, "after"),
				rapid.Bool().Draw(rt, "forget"), rapid.Bool().Draw(rt, "two"), rapid.IntRange(0, 60).Draw(rt, "seconds"),
			}
		}), 1, 6).Draw(rt, "steps")
		picks := rapid.SliceOfN(rapid.IntRange(0, 3), 12, 12).Draw(rt, "picks")
		var got, want result
		synctest.Test(t, func(t *testing.T) {
			from := time.Now().UTC()
			r := newRig(t, "ops", "boss")
			changes := script(from, picks)
			queue := slices.Clone(changes)
			for _, s := range steps {
				n := min(s.Produce, len(queue))
				r.produce(queue[:n]...)
				queue = queue[n:]
				_, stop := r.start(newFuse(s.Kill, s.After), s.Forget)
				if s.Two {
					_, stopTwo := r.start(newFuse(s.Kill+7, !s.After), false)
					pass(time.Duration(s.Seconds) * time.Second)
					stopTwo()
				}
				pass(time.Duration(s.Seconds) * time.Second)
				stop()
			}
			r.produce(queue...)
			r.whole(6 * time.Minute)
			got, want = r.result(), expected(changes, "ops", "boss")
		})
		compare(rt, "after all", want, got)
	})
}

// script makes the states of four alerts, mixed by picks; each alert's own states are in order.
func script(from time.Time, picks []int) []*event.Alert {
	kinds := []string{"firing", "updated", "resolved"}
	next := [4]int{}
	var out []*event.Alert
	for _, p := range picks {
		for next[p] == len(kinds) {
			p = (p + 1) % len(next)
		}
		out = append(out, state(string(rune('a'+p)), kinds[next[p]], from, next[p]))
		next[p]++
	}
	return out
}

func expected(changes []*event.Alert, receivers ...string) result {
	want := result{counts: map[string]int{}, order: map[string][]string{}}
	for _, a := range changes {
		for _, r := range receivers {
			want.counts[fmt.Sprintf("%s %s %s %s", r, a.ID, channel.Kind(a.State), event.FormatTime(a.Time))] = 1
			key := r + " " + a.ID
			want.order[key] = append(want.order[key], a.State+event.FormatTime(a.Time))
		}
	}
	return want
}
