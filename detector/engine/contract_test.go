package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// at is one event of a table: "second [id] fields…", where a field is name=value; the action is connect.
func at(t *testing.T, line string, n int) *event.Event {
	t.Helper()
	words := strings.Fields(line)
	seconds, err := time.ParseDuration(words[0] + "s")
	if err != nil {
		t.Fatal(err)
	}
	e := newEvent(event.ActionConnect, base.Add(seconds))
	e.SetText(event.FieldEventID, fmt.Sprintf("e%02d", n))
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		f, known := event.FieldByName(name)
		if !known {
			t.Fatalf("no field %s", name)
		}
		if values := strings.Split(value, ","); len(values) > 1 && f.Type != event.GeoPoint {
			e.SetList(f.ID, values...)
			continue
		}
		v, ok := event.Parse(f.Type, value)
		if !ok {
			t.Fatalf("%s does not fit %s", value, name)
		}
		e.Set(f.ID, v)
	}
	return e
}

const threshold3 = "where: 'event.action: connect'\ndetect: {threshold: {count: '> 2', window: 10s}}\n"

// TestSentences has a row for each sentence of the contract that an evaluator has to obey.
func TestSentences(t *testing.T) {
	t.Parallel()
	checkSentences(t, map[string]sentence{
		"a sliding window at t is (t − window, t]: exactly one window apart is out": {
			threshold3, []string{"0", "5", "10"}, "", nil,
		},
		"a nanosecond less is in": {
			threshold3, []string{"0.000000001", "5", "10"}, "", []string{"10s firing [] value 3 from 10s first \"e02\" warn"},
		},
		"a condition ceases when an event leaves, at its time + window": {
			threshold3, []string{"0", "1", "2"}, "10", []string{
				"2s firing [] value 3 from 2s first \"e02\" warn", "10s resolved [] value 2 from 2s first \"e02\" warn",
			},
		},
		"what leaves at t has no look of its own if something enters at t": {
			threshold3, []string{"0", "1", "2", "10"}, "12", []string{
				"2s firing [] value 3 from 2s first \"e02\" warn", "11s resolved [] value 2 from 2s first \"e02\" warn",
			},
		},
		"counts are sums of weights": {
			threshold3, []string{"0 im.sample.weight=1.5", "1 im.sample.weight=1.5"}, "", []string{"1s firing [] value 3 from 1s first \"e01\" warn"},
		},
		"the same event twice counts once": {
			threshold3, []string{"0 event.id=a", "1 event.id=b", "2 event.id=b"}, "", nil,
		},
		"a key field that an event lacks makes its own group": {
			threshold3 + "group_by: [user.id]\n",
			[]string{"0", "1 user.id=u", "2", "3"},
			"",
			[]string{"3s firing [/_missing] value 3 from 3s first \"e03\" warn"},
		},
		"of a list each element is a key, once": {
			threshold3 + "group_by: [event.type]\n",
			[]string{"0 event.type=start,info,start", "1 event.type=info", "2 event.type=info,end"},
			"",
			[]string{"2s firing [/info] value 3 from 2s first \"e02\" warn"},
		},
		"keys are never joined with a separator": {
			threshold3 + "group_by: [user.id, device.id]\n",
			[]string{"0 user.id=a/b device.id=c", "1 user.id=a device.id=b/c", "2 user.id=a/b device.id=c"},
			"", nil,
		},
		"for fires at begin + for, with the value then; the start is the begin": {
			threshold3 + "for: 3s\n", []string{"0", "1", "2", "3"}, "6", []string{"5s firing [] value 4 from 2s first \"e02\" warn"},
		},
		"a condition that ends at begin + for does not fire": {
			threshold3 + "for: 8s\n", []string{"0", "1", "2"}, "20", nil,
		},
		"resolved comes after later": {
			threshold3 + "resolve: {after: 4s}\n", []string{"0", "1", "2"}, "30", []string{
				"2s firing [] value 3 from 2s first \"e02\" warn", "14s resolved [] value 0 from 2s first \"e02\" warn",
			},
		},
		"unless it holds again by then, also exactly then: that is the same spell": {
			threshold3 + "resolve: {after: 4s}\n", []string{"0", "1", "2", "14", "14", "14"}, "14", []string{
				"2s firing [] value 3 from 2s first \"e02\" warn",
			},
		},
		"updated at twice the value last told": {
			threshold3, []string{"0", "0", "0", "0", "0", "0", "0"}, "", []string{
				"0s firing [] value 3 from 0s first \"e02\" warn", "0s updated [] value 6 from 0s first \"e02\" warn",
			},
		},
		"or when severity rises by severity_when": {
			threshold3 + "severity_when: {critical: '>= 4'}\n", []string{"0", "0", "0", "0", "1"}, "", []string{
				"0s firing [] value 3 from 0s first \"e02\" warn", "0s updated [] value 4 from 0s first \"e02\" critical",
			},
		},
		"first_event is absent when a leaving event made it true; the start is then that instant": {
			"detect: {threshold: {count: '== 1', window: 10s}}\n", []string{"0", "1"}, "10", []string{
				"0s firing [] value 1 from 0s first \"e00\" warn", "1s resolved [] value 2 from 0s first \"e00\" warn",
				"10s firing [] value 1 from 10s first \"\" warn",
			},
		},
		"consecutive holds from the Nth event until a resetting one, which wins over where": {
			"where: 'event.action: connect'\ndetect: {consecutive: {count: 2, reset: 'log.level: error'}}\n",
			[]string{"0", "1", "2 log.level=error", "3"},
			"",
			[]string{
				"1s firing [] value 2 from 1s first \"e01\" warn", "2s resolved [] value 0 from 1s first \"e01\" warn",
			},
		},
		"reset is tried on all events of the key": {
			"where: 'user.id: u'\ngroup_by: [device.id]\ndetect: {consecutive: {count: 2, reset: 'log.level: error'}}\n",
			[]string{"0 device.id=d user.id=u", "1 device.id=d log.level=error", "2 device.id=d user.id=u", "3 device.id=other log.level=error", "4 device.id=d user.id=u"},
			"",
			[]string{"4s firing [/d] value 2 from 4s first \"e04\" warn"},
		},
		"left out, nothing resets": {
			"where: 'user.id: u'\ndetect: {consecutive: {count: 2}}\n",
			[]string{"0 user.id=u", "1 log.level=error", "2 user.id=u"},
			"",
			[]string{"2s firing [] value 2 from 2s first \"e02\" warn"},
		},
		"or last + max_gap; a gap of exactly that does not break it": {
			"detect: {consecutive: {count: 2, max_gap: 5s}}\n", []string{"0", "5", "10"}, "15", []string{
				"5s firing [] value 2 from 5s first \"e01\" warn", "15s resolved [] value 0 from 5s first \"e01\" warn",
			},
		},
		"a longer gap breaks a row that does not hold yet": {
			"detect: {consecutive: {count: 2, max_gap: 5s}}\n", []string{"0", "5.001", "10.002"}, "", nil,
		},
		"max_gap is 10 minutes by default": {
			"detect: {consecutive: {count: 2}}\n", []string{"0", "600", "1201", "1201"}, "1202", []string{
				"10m0s firing [] value 2 from 10m0s first \"e01\" warn", "20m0s resolved [] value 0 from 10m0s first \"e01\" warn",
				"20m1s firing [] value 2 from 20m1s first \"e03\" warn",
			},
		},
		"weights do not count in a row": {
			"detect: {consecutive: {count: 2}}\n", []string{"0 im.sample.weight=5"}, "", nil,
		},
		"heartbeats spaced exactly one window never raise absence": {
			"detect: {absence: {window: 10s}}\n", []string{"0", "10", "20", "30"}, "39.999", nil,
		},
		"absence fires at the last event + window with the seconds of silence, and holds until the next": {
			"detect: {absence: {window: 10s}}\n", []string{"0", "3", "20"}, "", []string{
				"13s firing [] value 10 from 13s first \"\" warn", "20s resolved [] value 0 from 13s first \"\" warn",
			},
		},
		"an expected key never seen is due at the stream's start + window; a key not expected: never": {
			"where: 'event.action: connect'\ngroup_by: [user.id]\ndetect: {absence: {window: 10s, expect: [a, b]}}\n",
			[]string{"2 event.action=other user.id=z", "3 user.id=c", "4 user.id=a"},
			"30",
			[]string{"12s firing [/b] value 10 from 12s first \"\" warn", "14s firing [/a] value 10 from 14s first \"\" warn"},
		},
		"expect is a list of maps for several key fields": {
			"group_by: [user.id, device.id]\ndetect: {absence: {window: 10s, expect: [{user.id: a, device.id: d}]}}\n",
			[]string{"0 user.id=a device.id=d", "5 user.id=d device.id=a"},
			"10",
			[]string{"10s firing [/a/d] value 10 from 10s first \"\" warn"},
		},
		"expect: {learn: 24h} expects every key seen in the last 24 h": {
			"group_by: [user.id]\ndetect: {absence: {window: 1h, expect: {learn: 24h}}}\n",
			[]string{"0 user.id=a"},
			"90000",
			[]string{
				"1h0m0s firing [/a] value 3600 from 1h0m0s first \"\" warn", "24h0m0s resolved [/a] value 86400 from 1h0m0s first \"\" warn",
			},
		},
		"absence with for fires at begin + for": {
			"detect: {absence: {window: 10s}}\nfor: 5s\n", []string{"0", "15"}, "30", []string{"30s firing [] value 15 from 25s first \"\" warn"},
		},
		"the severity of a silence rises when it has lasted": {
			"detect: {absence: {window: 10s}}\nseverity_when: {high: '>= 30', critical: '> 60'}\n", []string{"0"}, "90", []string{
				"10s firing [] value 10 from 10s first \"\" warn", "30s updated [] value 30 from 10s first \"\" high",
				"1m0.000000001s updated [] value 60.000000001 from 10s first \"\" critical",
			},
		},
		"disabled rules are not evaluated": {
			threshold3 + "status: disabled\n", []string{"0", "1", "2"}, "", nil,
		},
	})
}

// sentence is what a rule makes of some events.
type sentence struct {
	rule   string
	events []string
	end    string // second; the last event when empty
	want   []string
}

func checkSentences(t *testing.T, sentences map[string]sentence) {
	t.Helper()
	for name, c := range sentences {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := parse(t, "id: r\ntitle: a rule\nseverity: warn\n"+c.rule)
			var events []*event.Event
			end := base
			for i, line := range c.events {
				e := at(t, line, i)
				events = append(events, e)
				if e.Time().After(end) {
					end = e.Time()
				}
			}
			if c.end != "" {
				d, err := time.ParseDuration(c.end + "s")
				if err != nil {
					t.Fatal(err)
				}
				end = base.Add(d)
			}
			got := text(changesOf(evaluate(t, rules, events, end)))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("state changes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesArePrintedAsTheyCame(t *testing.T) {
	t.Parallel()
	rules := parse(t, "id: r\ntitle: a rule\nseverity: warn\ndetect: {threshold: {count: '> 0', window: 10s}}\n")
	var e event.Event
	if err := event.Decode([]byte(`{"@timestamp":"2026-11-21T18:00:00.1234560+08:00","event":{"id":"a"}}`), &e); err != nil {
		t.Fatal(err)
	}
	alerts := evaluate(t, rules, []*event.Event{&e}, base.Add(time.Minute))
	if len(alerts) != 2 {
		t.Fatalf("%d state changes", len(alerts))
	}
	out := lines(t, alerts)
	if n := strings.Count(out, `"2026-11-21T18:00:00.1234560+08:00"`); n != 3 { // firing: its own time and from; resolved: from
		t.Errorf("the instant stands %d times as it came, expected 3, in\n%s", n, out)
	}
	if !strings.Contains(out, `"to":"2026-11-21T10:00:10.123456Z"`) {
		t.Errorf("the end is not time + window in\n%s", out)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	rules := parse(t, `
id: r
title: a rule
severity: warn
detect: {threshold: {count: '>= 4', window: 10s}}
evidence: {keep: 2, top: {user.id: 2, event.type: 1}}
labels: {team: im}
`)
	var events []*event.Event
	for i, line := range []string{"-60 user.id=old", "0 user.id=b", "1 user.id=a event.type=start,info", "2 user.id=a event.type=info", "3 user.id=b", "4 user.id=c"} {
		events = append(events, at(t, line, i))
	}
	alerts := evaluate(t, rules, events, base.Add(3500*time.Millisecond))
	if len(alerts) != 1 {
		t.Fatalf("%d state changes", len(alerts))
	}
	got := alerts[0]
	if diff := cmp.Diff([]string{"e03", "e04"}, got.EvidenceIDs); diff != "" {
		t.Errorf("the newest ids differ (-want +got):\n%s", diff)
	}
	want := map[string][]event.TopValue{
		"user.id": {{Value: "a", Count: 2}, {Value: "b", Count: 2}}, "event.type": {{Value: "start", Count: 3}},
	}
	if diff := cmp.Diff(want, got.Top); diff != "" {
		t.Errorf("top values differ (-want +got):\n%s", diff)
	}
	if got.Labels["team"] != "im" || got.RuleName != "a rule" || got.Limit != ">= 4" || got.Window != "10s" || got.Status != rule.StatusEnabled {
		t.Errorf("the alert says %+v of its rule", got)
	}
}

func TestKeysBeyondTheLimitAreTold(t *testing.T) {
	t.Parallel()
	rules := parse(t, threshold3+"id: r\ntitle: a rule\nseverity: warn\ngroup_by: [user.id]\nlimits: {keys: 2}\n")
	refused := 0
	e, err := engine.New(rules, engine.Options{Overflow: func(*rule.Rule) { refused++ }})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{"0 user.id=a", "1 user.id=b", "2 user.id=c", "3 user.id=a", "4 user.id=a", "60 user.id=d", "60 user.id=d", "60 user.id=d"} {
		e.Take(at(t, line, i), nil)
	}
	got := changesOf(e.Finish(base.Add(time.Minute).UnixNano()))
	want := []string{
		`4s firing [/a] value 3 from 4s first "e04" warn`, `10s resolved [/a] value 2 from 4s first "e04" warn`,
		`1m0s firing [/d] value 3 from 1m0s first "e07" warn`,
	}
	if diff := cmp.Diff(want, text(got)); diff != "" || refused != 1 {
		t.Errorf("%d refused, expected 1; state changes (-want +got):\n%s", refused, diff)
	}
	if keys := e.Keys()["r"]; keys != 1 {
		t.Errorf("%d keys have state, expected the last one only", keys)
	}
}

func TestChangedRules(t *testing.T) {
	t.Parallel()
	head := "id: r\ntitle: a rule\nseverity: warn\n"
	fire := func(t *testing.T) *engine.Engine {
		t.Helper()
		e, err := engine.New(parse(t, head+threshold3), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range []string{"0", "1", "2", "5"} {
			e.Observe(0, at(t, line, i), 0)
		}
		if n := len(e.Advance()); n != 1 {
			t.Fatalf("%d state changes", n)
		}
		return e
	}
	for name, c := range map[string]struct {
		yaml string
		want []string // after the change, until 20 s
	}{
		"the same decisions keep their state": {
			head + threshold3 + "labels: {a: b}\n", []string{`11s resolved [] value 2 from 2s first "e02" warn`},
		},
		"other decisions start fresh, and what was told is resolved": {
			head + strings.Replace(threshold3, "> 2", "> 1", 1), []string{`3s resolved [] value 3 from 2s first "e02" warn`},
		},
		"so it is when the rule is gone": {
			strings.Replace(head, "id: r", "id: other", 1) + threshold3, []string{`3s resolved [] value 3 from 2s first "e02" warn`},
		},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %v", name, restart), func(t *testing.T) {
				t.Parallel()
				e := fire(t)
				rules := parse(t, c.yaml)
				var err error
				if restart {
					e, err = engine.Restore(rules, engine.Options{}, e.Snapshot())
				} else {
					err = e.SetRules(rules)
				}
				if err != nil {
					t.Fatal(err)
				}
				got := e.Advance()
				e.Observe(0, at(t, "20", 20), 0)
				got = append(got, e.Advance()...)
				if diff := cmp.Diff(c.want, text(changesOf(got))); diff != "" {
					t.Errorf("state changes differ (-want +got):\n%s", diff)
				}
			})
		}
	}
}
