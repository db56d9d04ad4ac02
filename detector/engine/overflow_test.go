package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// hit is an event of a key that passes as attacker or as passer-by.
type hit struct {
	at  time.Duration
	key string
	id  int
}

func (h hit) event() *event.Event {
	ev := newEvent(event.ActionHandshakeFailure, base.Add(h.at))
	ev.SetText(event.FieldEventID, fmt.Sprintf("im-1-0-%010d", h.id))
	ev.SetText(event.FieldServiceNode, "im-1")
	ev.SetText(event.FieldClientIP, h.key)
	return ev
}

// spray makes keys of one event each within a minute, and many that pass a limit of 20 among them: every other one comes
// when others have taken all room.
func spray(r *rand.Rand, once, many int) []hit {
	var hits []hit
	at := func(from time.Duration) time.Duration {
		return (from + time.Duration(r.Int64N(int64(58*time.Second-from)))).Truncate(time.Millisecond)
	}
	for i := range once {
		hits = append(hits, hit{at(0), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), 0})
	}
	for i := range many {
		from := time.Duration(i%2) * 25 * time.Second
		for range 21 {
			hits = append(hits, hit{at(from), fmt.Sprintf("192.168.%d.%d", i>>8, i&255), 0})
		}
	}
	sort.SliceStable(hits, func(i, j int) bool { return hits[i].at < hits[j].at })
	for i := range hits {
		hits[i].id = i
	}
	return hits
}

const sprayed = `
id: failures
title: a rule
severity: high
where: 'event.action: handshake_failure'
group_by: [client.ip]
detect: {threshold: {count: "> 20", window: 1m}}
limits: {keys: 100000}
time: {lateness: 2s}
`

// TestASprayOfKeysHidesNobody is the promise of limits.keys: whoever passes the limit is told, whatever others there
// are, in bounded memory, also when events come out of order and the detector is restarted.
func TestASprayOfKeysHidesNobody(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	rules := parse(t, sprayed)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	hits := spray(r, 300_000, 1_000)
	run := func(hits []hit, restart bool) []*event.Alert {
		further, lost := 0, 0
		o := engine.Options{
			Late:     func(*rule.Rule, string, int64) { t.Fatal("late") },
			Overflow: func(*rule.Rule) { further++ }, Lost: func(*rule.Rule) { lost++ },
		}
		before := liveHeap()
		e, err := engine.New(rules, o)
		if err != nil {
			t.Fatal(err)
		}
		var alerts []*event.Alert
		for i, h := range hits {
			e.Observe(0, h.event(), 0)
			if i%1000 == 0 {
				alerts = append(alerts, e.Advance()...)
			}
			if restart && i%90_000 == 89_999 {
				alerts = append(alerts, e.Advance()...)
				if e, err = engine.Restore(rules, o, e.Snapshot()); err != nil {
					t.Fatal(err)
				}
			}
		}
		alerts = append(alerts, e.Finish(e.Greatest())...)
		if held := float64(liveHeap()-before) / (1 << 20); held > 80 {
			t.Errorf("holds %.0f MiB for at most 125,000 keys and a sketch", held)
		}
		if keys := e.Keys()["failures"]; keys > 125_000 {
			t.Errorf("state for %d keys with a limit of 100,000", keys)
		}
		if further < 190_000 || lost > 0 {
			t.Errorf("%d keys past the limit are counted, %d were lost", further, lost)
		}
		return append(alerts, e.Finish(base.Add(3*time.Minute).UnixNano())...)
	}
	want := run(hits, false)
	told, degraded := map[string]bool{}, 0
	for _, a := range want {
		if a.State == event.StateFiring {
			if a.Degraded {
				degraded++
			}
			told[a.Key[0].Value] = true
		}
	}
	for i := range 1000 {
		if key := fmt.Sprintf("192.168.%d.%d", i>>8, i&255); !told[key] {
			t.Errorf("%s is not told", key)
		}
	}
	if len(told) > 1010 || degraded < 500 || degraded > 520 { // who came before had exact state all the time

		t.Errorf("%d keys are told, %d of them degraded", len(told), degraded)
	}
	shuffled := slices.Clone(hits)
	delay := make([]time.Duration, len(hits))
	for i := range delay {
		delay[i] = time.Duration(r.Int64N(int64(2 * time.Second)))
	}
	sort.SliceStable(shuffled, func(i, j int) bool {
		return shuffled[i].at+delay[shuffled[i].id] < shuffled[j].at+delay[shuffled[j].id]
	})
	got := run(shuffled, true)
	for _, alerts := range [][]*event.Alert{want, got} {
		slices.SortStableFunc(alerts, engine.Order)
	}
	if lines(t, want) != lines(t, got) {
		t.Error("out of order and with restarts the alerts are others")
	}
}

// TestWhatWouldFireStillFires holds rules with room for few keys to the same rules with room for all.
func TestWhatWouldFireStillFires(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf(`
id: r
title: a rule
severity: warn
group_by: [user.id]
detect: {threshold: {count: %q, window: %ds}}
for: %ds
resolve: {after: %ds}
`, fmt.Sprintf("%s %d", rapid.SampledFrom([]string{">", ">="}).Draw(t, "op"), rapid.IntRange(1, 6).Draw(t, "limit")),
			rapid.IntRange(1, 20).Draw(t, "window"), rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "for"), rapid.IntRange(0, 5).Draw(t, "after"))
		var events []*event.Event
		at := 0
		users := rapid.SampledFrom([]int{5, 100}).Draw(t, "users")
		for i := range rapid.IntRange(1, 200).Draw(t, "events") {
			at += rapid.SampledFrom([]int{0, 50, 100, 300, 2000}).Draw(t, "step")
			ev := newEvent(event.ActionConnect, base.Add(time.Duration(at)*time.Millisecond))
			ev.SetText(event.FieldEventID, fmt.Sprintf("e%03d", i))
			ev.SetText(event.FieldUserID, fmt.Sprintf("u%d", min(rapid.IntRange(0, users).Draw(t, "user"), rapid.IntRange(0, users).Draw(t, "or"))))
			if w := rapid.SampledFrom([]float64{1, 1, 1, 3, 0.5}).Draw(t, "weight"); w != 1 {
				ev.SetFloat(event.FieldSampleWeight, w)
			}
			events = append(events, ev)
		}
		end := base.Add(10 * time.Minute)
		exact := evaluate(t, parse(t, text), events, end)
		lost := 0
		e, err := engine.New(parse(t, fmt.Sprintf("%slimits: {keys: %d}\n", text, rapid.IntRange(1, 8).Draw(t, "keys"))), engine.Options{Lost: func(*rule.Rule) { lost++ }})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			e.Take(ev, nil)
		}
		few := e.Finish(end.UnixNano())
		if n := len(openAt(few, end)); n > 0 {
			t.Fatalf("%d alerts are never resolved", n)
		}
		if lost > 0 {
			return // it was counted
		}
		known := map[string]bool{}
		for _, a := range exact {
			known[fmt.Sprint(a.Key, a.State, a.Time, a.Value, a.From)] = true
			if a.State == event.StateFiring && !openAt(few, a.Time)[a.Key[0].Value] {
				t.Fatalf("%v would fire at %v and does not", a.Key, a.Time.Sub(base))
			}
		}
		for _, a := range few {
			if !a.Degraded && !known[fmt.Sprint(a.Key, a.State, a.Time, a.Value, a.From)] {
				t.Fatalf("%v %s at %v is not exact and does not say so", a.Key, a.State, a.Time.Sub(base))
			}
		}
	})
}

// openAt gives the keys of which something is told at an instant.
func openAt(alerts []*event.Alert, at time.Time) map[string]bool {
	open := map[string]bool{}
	for _, a := range alerts {
		if a.Time.After(at) {
			break
		}
		if a.State == event.StateResolved {
			if a.Time.Before(at) || !open[a.Key[0].Value] {
				delete(open, a.Key[0].Value)
			}
			continue
		}
		open[a.Key[0].Value] = true
	}
	return open
}

// TestTypesWithoutASketchGiveUpTheStillest: a row that goes on is kept, whoever else passes by.
func TestTypesWithoutASketchGiveUpTheStillest(t *testing.T) {
	t.Parallel()
	rules := parse(t, "id: r\ntitle: a rule\nseverity: warn\ngroup_by: [user.id]\ndetect: {consecutive: {count: 5}}\nlimits: {keys: 8}\n")
	further, lost := 0, 0
	e, err := engine.New(rules, engine.Options{Overflow: func(*rule.Rule) { further++ }, Lost: func(*rule.Rule) { lost++ }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		user := fmt.Sprintf("passer-by-%d", i)
		if i%10 == 9 && i > 100 {
			user = "one"
		}
		e.Take(at(t, fmt.Sprintf("%d user.id=%s", i/10, user), i), nil)
	}
	got := map[string]int{}
	for _, a := range e.Finish(base.Add(50 * time.Second).UnixNano()) {
		got[a.State+" "+a.Key[0].Value]++
	}
	if diff := cmp.Diff(map[string]int{"firing one": 1, "updated one": got["updated one"]}, got); diff != "" {
		t.Errorf("state changes (-want +got):\n%s", diff)
	}
	if keys := e.Keys()["r"]; keys > 8+16 || further < 400 || lost < 400 {
		t.Errorf("%d keys, %d past the limit, %d given up", keys, further, lost)
	}
}
