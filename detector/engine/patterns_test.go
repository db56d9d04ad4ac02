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

// sequenceOf makes a sequence within 10 s of steps as "a", "2 b" for two of them, "!c" for one that must not happen; the
// letters are users.
func sequenceOf(steps ...string) string {
	var b strings.Builder
	for _, s := range steps {
		more := ""
		if user, not := strings.CutPrefix(s, "!"); not {
			s, more = user, ", not: true"
		}
		if times, user, several := strings.Cut(s, " "); several {
			s, more = user, ", times: "+times
		}
		fmt.Fprintf(&b, "{where: 'user.id: %s'%s}, ", s, more)
	}
	return "detect: {sequence: {within: 10s, steps: [" + b.String() + "]}}\n"
}

// users makes events of users at seconds, as in "0a 3b".
func users(events string) (lines []string) {
	for f := range strings.FieldsSeq(events) {
		n := len(f) - 1
		lines = append(lines, f[:n]+" user.id="+f[n:])
	}
	return lines
}

func TestSequenceSentences(t *testing.T) {
	t.Parallel()
	const ab = `10s firing [] value 10 from 10s first "e01" warn`
	checkSentences(t, map[string]sentence{
		"within is closed": {sequenceOf("a", "b"), users("0a 10b"), "", []string{ab, `10s resolved [] value 10 from 10s first "e01" warn`}},
		"and no longer":    {sequenceOf("a", "b"), users("0a 10.000000001b"), "20", nil},
		"steps come in order, also at one instant": {sequenceOf("a", "b"), users("0b 0a"), "9", nil},
		"the first of one instant goes first": {
			sequenceOf("a", "b"), users("0a 0b"), "", []string{`0s firing [] value 0 from 0s first "e01" warn`, `0s resolved [] value 0 from 0s first "e01" warn`},
		},
		"events are not used up: every start is owed its answer": {
			sequenceOf("a", "!b"), users("0a 3a"), "20", []string{
				`10s firing [] value 10 from 10s first "" warn`, `10s resolved [] value 10 from 10s first "" warn`,
				`13s firing [] value 10 from 13s first "" warn`, `13s resolved [] value 10 from 13s first "" warn`,
			},
		},
		"an answer answers every start before it":           {sequenceOf("a", "!b"), users("0a 3a 4b"), "20", nil},
		"an answer exactly at the deadline counts as given": {sequenceOf("a", "!b"), users("0a 10b"), "20", nil},
		"a moment later it does not": {
			sequenceOf("a", "!b"), users("0a 10.000000001b"), "10.5", []string{`10s firing [] value 10 from 10s first "" warn`, `10s resolved [] value 10 from 10s first "" warn`},
		},
		"nothing is decided before the deadline": {sequenceOf("a", "!b"), users("0a"), "9.999999999", nil},
		"within spans the chain from its first event, a trailing not included": {
			sequenceOf("a", "b", "!c"), users("0a 8b 10c 19d"), "30", nil,
		},
		"and no longer than that": {
			sequenceOf("a", "b", "!c"), users("0a 8b 11c"), "30", []string{`10s firing [] value 10 from 10s first "" warn`, `10s resolved [] value 10 from 10s first "" warn`},
		},
		"times: at least": {
			sequenceOf("2 a", "b"), users("0a 1b 2a 3a 4b"), "", []string{`4s firing [] value 4 from 4s first "e04" warn`, `4s resolved [] value 4 from 4s first "e04" warn`},
		},
		"a longer run holds again": {
			sequenceOf("a", "2 b") + "resolve: {after: 1s}\n", users("0a 1b 2b 3b"), "5", []string{
				`2s firing [] value 2 from 2s first "e02" warn`, `4s resolved [] value 2 from 2s first "e02" warn`,
			},
		},
		"two steps never share one event": {
			"detect: {sequence: {within: 10s, steps: [{where: 'user.id: *'}, {where: 'user.id: a'}]}}\n", users("0a"), "", nil,
		},
		"not in the middle: none between its neighbours": {sequenceOf("a", "!x", "b"), users("0a 1x 2b"), "", nil},
		"another of the step before makes good for it": {
			sequenceOf("a", "!x", "b"), users("0a 1x 2a 3b"), "", []string{`3s firing [] value 1 from 3s first "e03" warn`, `3s resolved [] value 1 from 3s first "e03" warn`},
		},
		"the chain that began first gives the value": {
			sequenceOf("a", "b"), users("0a 4a 6b"), "", []string{`6s firing [] value 6 from 6s first "e02" warn`, `6s resolved [] value 6 from 6s first "e02" warn`},
		},
		"where filters all steps": {"where: 'log.level: error'\n" + sequenceOf("a", "b"), []string{"0 user.id=a log.level=error", "1 user.id=b"}, "", nil},
		"it is resolved after later, unless it holds again by then, also exactly then": {
			sequenceOf("a", "b") + "resolve: {after: 5s}\n", users("0a 1b 6b"), "20", []string{
				`1s firing [] value 1 from 1s first "e01" warn`, `6s updated [] value 6 from 1s first "e01" warn`, `11s resolved [] value 6 from 1s first "e01" warn`,
			},
		},
		"firing and resolved of one instant come after all of its events": {
			sequenceOf("a", "b"), users("0a 1b 1b"), "", []string{`1s firing [] value 1 from 1s first "e01" warn`, `1s resolved [] value 1 from 1s first "e01" warn`},
		},
	})
}

func TestTravelSentences(t *testing.T) {
	t.Parallel()
	const travel = "group_by: [user.id]\ndetect: {travel: {max_kmh: 1000, min_km: 100, ignore: 'client.ip: 10.0.0.0/8'}}\n"
	const here, degreesEast = "client.geo.location=0,0", "client.geo.location=0,%v" // a degree of the equator is 111.19 km
	east := func(d float64) string { return fmt.Sprintf(degreesEast, d) }
	checkSentences(t, map[string]sentence{
		"faster than max_kmh, from min_km on": {
			travel, []string{"0 " + here, "360 " + east(1)}, "", []string{
				`6m0s firing [/_missing] value 1111.9492664455872 from 6m0s first "e01" warn`,
				`6m0s resolved [/_missing] value 1111.9492664455872 from 6m0s first "e01" warn`,
			},
		},
		"nearer than min_km is nothing":           {travel, []string{"0 " + here, "1 " + east(0.8)}, "", nil},
		"slower is nothing":                       {travel, []string{"0 " + here, "401 " + east(1)}, "", nil},
		"against the previous place only":         {travel, []string{"0 " + here, "1 " + east(0.8), "2 " + east(1.6)}, "", nil},
		"an event without a place has none":       {travel, []string{"0 " + here, "1", "401 " + east(1)}, "", nil},
		"what ignore matches is as if absent":     {travel, []string{"0 " + here, "1 client.ip=10.0.0.1 " + east(90), "2 " + here}, "", nil},
		"each key has its own":                    {travel, []string{"0 user.id=a " + here, "1 user.id=b " + east(90)}, "", nil},
		"standing still is no travel":             {travel, []string{"0 " + here, "0 " + here}, "", nil},
		"latitude and longitude come as list too": {travel, []string{"0 client.geo.location=[1,0]", "1 " + east(1)}, "", nil},
		"the same instant is infinitely fast": {
			travel, []string{"0 " + here, "0 client.geo.location={\"lat\":0,\"lon\":1}"}, "", []string{
				`0s firing [/_missing] value 1e+06 from 0s first "e01" warn`, `0s resolved [/_missing] value 1e+06 from 0s first "e01" warn`,
			},
		},
	})
}

func TestNewTermSentences(t *testing.T) {
	t.Parallel()
	term := func(warmup string) string {
		return "group_by: [user.id]\ndetect: {new_term: {field: event.type, history: 10s, warmup: " + warmup + "}}\n"
	}
	told := func(at, value, id string) []string {
		return []string{
			fmt.Sprintf(`%s firing [/u/%s] value 1 from %s first %q warn`, at, value, at, id),
			fmt.Sprintf(`%s resolved [/u/%s] value 1 from %s first %q warn`, at, value, at, id),
		}
	}
	checkSentences(t, map[string]sentence{
		"without warm-up the first value fires": {term("0s"), []string{"0 user.id=u event.type=a"}, "", told("0s", "a", "e00")},
		"last seen exactly history ago is new; each sight refreshes": {
			term("0s"),
			[]string{"0 user.id=u event.type=a", "9 user.id=u event.type=a", "18 user.id=u event.type=a", "28 user.id=u event.type=a"},
			"",
			append(told("0s", "a", "e00"), told("28s", "a", "e03")...),
		},
		"in the warm-up nothing is new, and what was seen is known": {
			term("5s"), []string{"0 user.id=u event.type=a", "4.9 user.id=u event.type=b", "5 user.id=u event.type=b", "5 user.id=u event.type=c"}, "", told("5s", "c", "e03"),
		},
		"an event that lacks the field is one of the key": {term("5s"), []string{"0 user.id=u", "5 user.id=u event.type=a"}, "", told("5s", "a", "e01")},
		"a key that was silent for ten histories and the warm-up is a new one": {
			term("5s"), []string{"0 user.id=u", "105 user.id=u", "109 user.id=u event.type=a"}, "", nil,
		},
		"of a list each element": {
			term("0s"), []string{"0 user.id=u event.type=a,b,a"}, "", append([]string{told("0s", "a", "e00")[0], told("0s", "a", "e00")[1]}, told("0s", "b", "e00")...),
		},
		"each key has its own history": {term("0s"), []string{"0 user.id=u event.type=a", "1 user.id=v event.type=a"}, "0", told("0s", "a", "e00")},
	})
}

// An alert shows the events that made it.
func TestEvidenceOfPatterns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		detect string
		events []string
		want   []string
	}{
		"a sequence":                    {sequenceOf("a", "b"), users("-11b 0a 1c 2b"), []string{"e01", "e03"}},
		"not what came before it began": {sequenceOf("a", "b"), users("-11a 0b 0a 2b"), []string{"e02", "e03"}},
		"one that was not ended":        {sequenceOf("a", "b", "!c"), users("-1b 0a 2b 11d"), []string{"e01", "e02"}},
		"two places": {
			"detect: {travel: {}}\n",
			[]string{"-9000 client.geo.location=0,0", "0 client.geo.location=0,1", "1", "2 client.geo.location=0,90"},
			[]string{"e01", "e03"},
		},
		"a new value": {"detect: {new_term: {field: user.id, history: 5s, warmup: 1s}}\n", users("-5a 0b"), []string{"e01"}},
	} {
		rules := parse(t, "id: r\ntitle: a rule\nseverity: warn\n"+c.detect)
		var events []*event.Event
		for i, line := range c.events {
			events = append(events, at(t, line, i))
		}
		alerts := evaluate(t, rules, events, base.Add(time.Minute))
		if len(alerts) == 0 {
			t.Errorf("%s: nothing is told", name)
			continue
		}
		if diff := cmp.Diff(c.want, alerts[0].EvidenceIDs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// State is kept for what can still matter only, and what finds no room raises no false alarm.
func TestKeysOfPatterns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule    string
		events  []string
		keys    int
		refused int
		alerts  int
	}{
		"an event that begins no sequence needs no state": {
			sequenceOf("a", "b") + "group_by: [client.ip]\n", []string{"0 user.id=b client.ip=192.0.2.1", "0.1 user.id=a client.ip=192.0.2.2"}, 1, 0, 0,
		},
		"a sequence that is over neither": {
			sequenceOf("a", "!b") + "group_by: [client.ip]\n", []string{"0 user.id=a client.ip=192.0.2.1", "3600"}, 0, 0, 2,
		},
		"a key and its values count one each": {
			"detect: {new_term: {field: user.id, history: 10s, warmup: 10s}}\n", users("0a 1b 2c"), 4, 0, 0,
		},
		"values and keys are forgotten": {
			"detect: {new_term: {field: user.id, history: 10s, warmup: 10s}}\ngroup_by: [client.ip]\n",
			[]string{"0 user.id=a client.ip=192.0.2.1", "3600 client.ip=192.0.2.2"},
			1, 0, 0,
		},
		"keys and values without room are promoted, and do not become new by that": {
			"detect: {new_term: {field: user.id, history: 20s, warmup: 10s}}\ngroup_by: [client.ip]\nlimits: {keys: 2}\n",
			[]string{"0 user.id=a client.ip=192.0.2.1", "1 user.id=a client.ip=192.0.2.2", "11 user.id=a client.ip=192.0.2.2"},
			4, 2, 0,
		},
	} {
		refused := 0
		e, err := engine.New(parse(t, "id: r\ntitle: a rule\nseverity: warn\n"+c.rule), engine.Options{Overflow: func(*rule.Rule) { refused++ }})
		if err != nil {
			t.Fatal(err)
		}
		last := int64(0)
		for i, line := range c.events {
			ev := at(t, line, i)
			last = ev.UnixNano()
			e.Take(ev, nil)
		}
		alerts := e.Finish(last)
		if keys := e.Keys()["r"]; keys != c.keys || refused != c.refused || len(alerts) != c.alerts {
			t.Errorf("%s: %d keys, %d refused, %d state changes; expected %d, %d, %d", name, keys, refused, len(alerts), c.keys, c.refused, c.alerts)
		}
	}
}

// What is told of a rule that goes is resolved with what was told.
func TestRetiredPatterns(t *testing.T) {
	t.Parallel()
	e, err := engine.New(parse(t, "id: r\ntitle: a rule\nseverity: warn\nresolve: {after: 1h}\n"+sequenceOf("a", "b")), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range users("0a 3b 9c") {
		e.Take(at(t, line, i), nil)
	}
	alerts := e.AdvanceTo(base.Add(9 * time.Second).UnixNano())
	if err := e.SetRules(nil); err != nil {
		t.Fatal(err)
	}
	want := []string{`3s firing [] value 3 from 3s first "e01" warn`, `9s resolved [] value 3 from 3s first "e01" warn`}
	if diff := cmp.Diff(want, text(changesOf(append(alerts, e.Advance()...)))); diff != "" {
		t.Errorf("state changes (-want +got):\n%s", diff)
	}
}
