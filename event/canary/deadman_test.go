package canary_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/event/canary"
)

var base = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

func newSwitch() *canary.DeadMan {
	return &canary.DeadMan{RuleID: "r", Title: "t", Lost: "nothing came", Back: "back", Started: base}
}

func line(t interface{ Fatal(...any) }, node string, every time.Duration, at time.Time) *event.Event {
	e := &event.Event{}
	if err := event.Decode(canary.Line(canary.Shipper, node, every, at), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCanaryIsNoEvent(t *testing.T) {
	t.Parallel()
	e := line(t, "n1", time.Minute, base)
	if !canary.Is(e) || !e.IsWatermark() || e.Node() != "n1" || !e.Time().Equal(base) {
		t.Errorf("found %s", e.AppendJSON(nil))
	}
	var w event.Event
	w.Begin(event.ActionWatermark, base)
	if canary.Is(&w) {
		t.Error("a watermark is no canary")
	}
}

// Each step is an instant, and what happens then.
func TestDeadMan(t *testing.T) {
	t.Parallel()
	type step struct {
		at    time.Duration
		node  string // "": only the clock
		sent  time.Duration
		every time.Duration
		want  string
	}
	const m = time.Minute
	for name, steps := range map[string][]step{
		"before the first nothing is expected": {{at: time.Hour}},
		"after three missed, once, until one comes": {
			{0, "a", 0, m, ""},
			{3*m - 1, "", 0, 0, ""},
			{3 * m, "", 0, 0, "firing 3m0s"},
			{9 * m, "", 0, 0, ""},
			{10 * m, "a", 10*m - time.Second, m, "resolved 9m59s"},
			{11 * m, "a", 11 * m, m, ""},
			{14 * m, "", 0, 0, "firing 14m0s"},
		},
		"one of two is enough": {
			{0, "a", 0, m, ""}, {2 * m, "b", 2 * m, m, ""}, {4 * m, "", 0, 0, ""}, {5 * m, "", 0, 0, "firing 5m0s"},
		},
		"one that says goodbye is not waited for": {{0, "a", 0, m, ""}, {m, "a", m, 0, ""}, {time.Hour, "", 0, 0, ""}},
		"a goodbye resolves": {
			{0, "a", 0, m, ""}, {3 * m, "", 0, 0, "firing 3m0s"}, {4 * m, "a", 4 * m, 0, "resolved 4m0s"}, {time.Hour, "", 0, 0, ""},
		},
		"one that comes three intervals late does not resolve": {
			{0, "a", 0, m, ""}, {3 * m, "", 0, 0, "firing 3m0s"}, {6 * m, "a", 2 * m, m, ""}, {6 * m, "a", 5 * m, m, "resolved 5m0s"},
		},
		"after a start there is as long to be heard": {{0, "a", -time.Hour, m, ""}, {3*m - 1, "", 0, 0, ""}, {3 * m, "", 0, 0, "firing -57m0s"}},
		"a clock ahead counts as now":                {{0, "a", time.Hour, m, ""}, {3 * m, "", 0, 0, "firing 3m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSwitch()
			for i, s := range steps {
				now := base.Add(s.at)
				var got []*event.Alert
				if s.node != "" {
					_, got = d.Take(line(t, s.node, s.every, base.Add(s.sent)), now)
				}
				got = append(got, d.Tick(now)...)
				text := ""
				for _, a := range got {
					text += fmt.Sprintf("%s %v", a.State, a.Time.Sub(base))
				}
				if text != s.want {
					t.Errorf("step %d: got %q, want %q", i, text, s.want)
				}
				b, err := json.Marshal(d) // a restart at any step changes nothing
				if err != nil {
					t.Fatal(err)
				}
				d = newSwitch()
				if err := json.Unmarshal(b, d); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Those who watch the same canaries raise the same alerts, whenever they look and however often each comes.
func TestAllWatchersRaiseTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var sent []time.Duration
		at := time.Duration(0)
		for range rapid.IntRange(1, 20).Draw(t, "canaries") {
			at += time.Duration(rapid.IntRange(1, 400).Draw(t, "pause, s")) * time.Second
			sent = append(sent, at)
		}
		watch := func(label string) (changes []string) {
			d, next := newSwitch(), 0
			for now := time.Duration(0); now < at+10*time.Minute; {
				step := time.Duration(rapid.IntRange(1, 10).Draw(t, label)) * 100 * time.Millisecond
				now += step
				var alerts []*event.Alert
				for next < len(sent) && sent[next] <= now {
					// What was missing before this one came is noticed first, as the ticks do in real time.
					alerts = append(alerts, d.Tick(base.Add(sent[next]))...)
					for range rapid.IntRange(1, 2).Draw(t, label) {
						_, resolved := d.Take(line(t, "a", time.Minute, base.Add(sent[next])), base.Add(now))
						alerts = append(alerts, resolved...)
					}
					next++
				}
				alerts = append(alerts, d.Tick(base.Add(now))...)
				for _, a := range alerts {
					changes = append(changes, a.DocID()+" "+event.FormatTime(a.Time))
				}
			}
			return changes
		}
		if diff := cmp.Diff(watch("first"), watch("second")); diff != "" {
			t.Fatalf("two watchers differ:\n%s", diff)
		}
	})
}
