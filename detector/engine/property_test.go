package engine_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

var base = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// minutes is a calendar with gaps of a minute and less, at the time of base.
const minutes = `
zone: Asia/Shanghai
hours: {daily: ["18:00-18:01", "18:02-18:03", "18:04-18:06"]}
`

func parse(t interface{ Fatalf(string, ...any) }, yaml string) []*rule.Rule {
	rules, findings := rule.LoadFS(fstest.MapFS{"test.yaml": {Data: []byte(yaml)}, "calendars/minutes.yaml": {Data: []byte(minutes)}})
	if rule.HasErrors(findings) {
		t.Fatalf("the rule is bad: %v\n%s", findings, yaml)
	}
	return rules
}

// drawRule makes a rule on events with the actions connect and disconnect.
func drawRule(t *rapid.T, id string) string {
	detect := rapid.SampledFrom(draws()).Draw(t, "type")(t)
	group := rapid.SampledFrom([]string{"", "user.id", "event.type", "event.type, user.id"}).Draw(t, "group")
	detect = strings.Replace(detect, "EXPECT", drawExpect(t, group), 1)
	detect = strings.Replace(detect, "FIELD", drawField(t, group), 1)
	hold := rapid.IntRange(0, 4).Draw(t, "for")
	if isInstant(detect) {
		hold = 0
	}
	return fmt.Sprintf(`
id: %s
title: a rule
severity: warn
%s
group_by: [%s]
detect: {%s}
%s
for: %ds
resolve: {after: %ds}
severity_when: {critical: "> 6"}
time: {lateness: %ds}
evidence: {keep: %d, top: {client.ip: 3}}
annotations: {summary: '{{.State}} {{.Value}} of {{.Limit}} {{.Top "client.ip"}}'}
`, id,
		rapid.SampledFrom([]string{"", "where: 'event.action: connect'", "where: 'event.action: (connect or disconnect)'"}).Draw(t, "where"),
		group, detect, rapid.SampledFrom([]string{"", "", "when: {calendar: minutes}", "when: {calendar: minutes, inside: false}"}).Draw(t, "when"),
		hold, rapid.IntRange(0, 5).Draw(t, "after"), rapid.IntRange(0, 5).Draw(t, "lateness"),
		rapid.IntRange(0, 3).Draw(t, "keep"))
}

func drawEvents(t *rapid.T, nodes int) []*event.Event {
	n := rapid.IntRange(1, 60).Draw(t, "events")
	events := make([]*event.Event, n)
	at, long := 0, false
	for i := range events {
		step := rapid.SampledFrom([]int{0, 0, 250, 500, 1000, 1000, 2000, 7000, 45_000}).Draw(t, "step") // milliseconds
		if step == 45_000 {
			if long { // once: longer than anything is remembered
				step = 0
			}
			long = true
		}
		at += step
		e := newEvent(rapid.SampledFrom([]event.Action{event.ActionConnect, event.ActionConnect, event.ActionDisconnect}).Draw(t, "action"),
			base.Add(time.Duration(at)*time.Millisecond))
		e.SetText(event.FieldEventID, fmt.Sprintf("e%03d", rapid.IntRange(0, 9).Draw(t, "id")*100+i))
		e.SetText(event.FieldServiceNode, fmt.Sprintf("n%d", rapid.IntRange(1, nodes).Draw(t, "node")))
		e.SetText(event.FieldUserID, rapid.SampledFrom([]string{"", "u1", "u2"}).Draw(t, "user"))
		e.SetText(event.FieldClientIP, rapid.SampledFrom([]string{"", "192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2"}).Draw(t, "ip"))
		drawNumbers(t, e)
		drawPlace(t, e)
		e.SetList(event.FieldEventType, rapid.SampledFrom([][]string{nil, {"start"}, {"start", "info"}, {"info", "info"}}).Draw(t, "type")...)
		if w := rapid.SampledFrom([]float64{1, 1, 1, 2, 0.5, 0.1, 0, -1}).Draw(t, "weight"); w != 1 {
			e.SetFloat(event.FieldSampleWeight, w)
		}
		events[i] = e
	}
	return events
}

// lines prints alerts as they go out.
func lines(t interface{ Fatalf(string, ...any) }, alerts []*event.Alert) string {
	var b strings.Builder
	for _, a := range alerts {
		line, err := a.MarshalJSON()
		if err != nil {
			t.Fatalf("%v", err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func evaluate(t interface{ Fatalf(string, ...any) }, rules []*rule.Rule, events []*event.Event, end time.Time) []*event.Alert {
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, ev := range events {
		e.Take(ev, nil)
	}
	return e.Finish(end.UnixNano())
}

func TestEngineDoesWhatTheContractSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := parse(t, drawRule(t, "r"))
		events := drawEvents(t, 1)
		end := base.Add(time.Duration(rapid.IntRange(0, 120).Draw(t, "end")) * time.Second)
		var inTime []*event.Event
		for _, e := range events {
			if !e.Time().After(end) {
				inTime = append(inTime, e)
			}
		}
		got := changesOf(evaluate(t, rules, events, end))
		if diff := cmp.Diff(text(naive(rules[0], inTime, end)), text(got)); diff != "" {
			t.Fatalf("naive (-) and engine (+) differ:\n%s", diff)
		}
	})
}

func text(cs []change) []string {
	var out []string
	for _, c := range cs {
		out = append(out, c.String())
	}
	return out
}

// TestArrivalChangesNothing holds the engine to its promise: permutations within lateness, redelivery, batches and
// restarts give the same lines, byte for byte.
func TestArrivalChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		few := "limits: {keys: " + rapid.SampledFrom([]string{"200000", "1", "2"}).Draw(t, "keys") + "}\n"
		rules := parse(t, drawRule(t, "a")+few+"---"+drawRule(t, "b")+few)
		events := drawEvents(t, 3)
		end := base.Add(5 * time.Minute)
		want := lines(t, evaluate(t, rules, events, end))

		lateness := min(rules[0].Time.Lateness, rules[1].Time.Lateness)
		arrivals := arrive(t, events, lateness)
		again := false // one that comes again after its id was forgotten is late
		o := engine.Options{Late: func(r *rule.Rule, node string, _ int64) {
			if !again {
				t.Fatalf("late for %s from %s", r.ID, node)
			}
		}}
		e, err := engine.New(rules, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []*event.Alert
		for i, ev := range arrivals {
			e.Observe(0, ev, 0)
			if rapid.IntRange(0, 3).Draw(t, "batch ends") == 0 {
				got = append(got, e.Advance()...)
			}
			if rapid.IntRange(0, 9).Draw(t, "redelivered") == 0 {
				again = true
				e.Observe(0, arrivals[rapid.IntRange(0, i).Draw(t, "which")], 0)
				again = false
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				got = append(got, e.Advance()...)
				if e, err = engine.Restore(rules, o, e.Snapshot()); err != nil {
					t.Fatal(err)
				}
			}
		}
		got = append(got, e.Finish(end.UnixNano())...)
		var own []*event.Alert
		for _, a := range got { // sources depend on arrival, by their nature
			if a.RuleID != engine.SourceLate {
				own = append(own, a)
			}
		}
		sort.SliceStable(own, func(i, j int) bool { return engine.Order(own[i], own[j]) < 0 })
		if diff := cmp.Diff(want, lines(t, own)); diff != "" {
			t.Fatalf("in order (-) and as it came (+) differ:\n%s", diff)
		}
	})
}

// TestPartitionsChangeNothing reads the same events from several partitions, each as far ahead of the others as it likes.
func TestPartitionsChangeNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := parse(t, drawRule(t, "a"))
		events := drawEvents(t, 3)
		end := base.Add(5 * time.Minute)
		want := lines(t, evaluate(t, rules, events, end))

		var parts [3][]*event.Event
		for _, ev := range arrive(t, events, rules[0].Time.Lateness) {
			p := rapid.IntRange(0, 2).Draw(t, "partition")
			parts[p] = append(parts[p], ev)
		}
		e, err := engine.New(rules, engine.Options{Late: func(r *rule.Rule, node string, _ int64) { t.Fatalf("late from %s", node) }})
		if err != nil {
			t.Fatal(err)
		}
		for p := range parts {
			if len(parts[p]) > 0 {
				e.Hold(p)
			}
		}
		var got []*event.Alert
		for left := len(events); left > 0; {
			p := rapid.IntRange(0, 2).Draw(t, "next")
			n := min(rapid.IntRange(1, 20).Draw(t, "batch"), len(parts[p]))
			for _, ev := range parts[p][:n] {
				e.Observe(p, ev, 0)
			}
			parts[p] = parts[p][n:]
			if left -= n; n > 0 && len(parts[p]) == 0 && rapid.Bool().Draw(t, "released") {
				e.Release(p)
			}
			got = append(got, e.Advance()...)
		}
		got = append(got, e.Finish(end.UnixNano())...)
		got = slices.DeleteFunc(got, func(a *event.Alert) bool { return a.RuleID == engine.SourceLate })
		slices.SortStableFunc(got, engine.Order)
		if diff := cmp.Diff(want, lines(t, got)); diff != "" {
			t.Fatalf("from one (-) and from several partitions (+) differ:\n%s", diff)
		}
	})
}

// arrive puts events into an order of arrival in which none is late.
func arrive(t *rapid.T, events []*event.Event, lateness time.Duration) []*event.Event {
	type arrival struct {
		at int64
		ev *event.Event
	}
	var as []arrival
	for _, e := range events {
		as = append(as, arrival{e.UnixNano() + rapid.Int64Range(0, int64(lateness)).Draw(t, "delay"), e})
	}
	sort.SliceStable(as, func(i, j int) bool { return as[i].at < as[j].at })
	out := make([]*event.Event, len(as))
	for i, a := range as {
		out[i] = a.ev
	}
	return out
}

func newEvent(action event.Action, at time.Time) *event.Event {
	e := &event.Event{}
	e.Begin(action, at)
	return e
}
