package engine_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

const silentUsers = `
id: r
title: a rule
severity: warn
where: 'event.action: connect'
group_by: [user.id]
detect: {absence: {window: 10s, expect: LIST}}
time: {lateness: 2s}
limits: {keys: 1}
`

func silent(t *testing.T, list string) []*rule.Rule {
	t.Helper()
	return parse(t, strings.Replace(silentUsers, "LIST", list, 1))
}

// The stream's start is settled when the watermark has passed it, whatever order events come in; late ones do not count.
func TestExpectedKeysAreDueAfterTheStreamsStart(t *testing.T) {
	t.Parallel()
	rules := silent(t, "[a, b, c]")
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []*event.Alert
	take := func(line string, n int) engine.Outcome {
		o := e.Observe(0, at(t, line, n), 0)
		got = append(got, e.Advance()...)
		if e, err = engine.Restore(rules, engine.Options{}, e.Snapshot()); err != nil {
			t.Fatal(err)
		}
		return o
	}
	take("5 event.action=other", 0)          // what no rule matches makes the start too
	take("4 user.id=x", 1)                   // and so does what comes behind it in time
	take("6.5", 2)                           // the watermark is past the start
	if o := take("1", 3); o != engine.Late { // late
		t.Fatalf("found outcome %v, expected late", o)
	}
	take("13 user.id=a", 4)
	take("30 user.id=b", 5)
	got = append(got, e.Finish(base.Add(30*time.Second).UnixNano())...)
	want := []string{
		`14s firing [/b] value 10 from 14s first "" warn`, `14s firing [/c] value 10 from 14s first "" warn`,
		`23s firing [/a] value 10 from 23s first "" warn`, `30s resolved [/b] value 0 from 14s first "" warn`,
	}
	if diff := cmp.Diff(want, text(changesOf(got))); diff != "" {
		t.Errorf("state changes differ (-want +got):\n%s", diff)
	}
}

// A list may change: what is new begins now, what is gone is resolved, and the rest goes on.
func TestAChangedListOfExpectedKeys(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		e, err := engine.New(silent(t, "[a, b]"), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e.Observe(0, at(t, "0 user.id=a", 0), 0)
		e.Observe(0, at(t, "8 user.id=a", 1), 0)
		e.Observe(0, at(t, "17", 2), 0)
		got := e.Advance() // up to 15 s: b fires at 10 s
		if rules := silent(t, "[a, c]"); restart {
			e, err = engine.Restore(rules, engine.Options{}, e.Snapshot())
		} else {
			err = e.SetRules(rules)
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Finish(base.Add(25*time.Second).UnixNano())...)
		want := []string{
			`10s firing [/b] value 10 from 10s first "" warn`, `15s resolved [/b] value 15 from 10s first "" warn`,
			`18s firing [/a] value 10 from 18s first "" warn`, `25s firing [/c] value 10 from 25s first "" warn`,
		}
		if diff := cmp.Diff(want, text(changesOf(got))); diff != "" {
			t.Errorf("restart %v: state changes differ (-want +got):\n%s", restart, diff)
		}
	}
}

// A rule that comes later expects its keys from then on, under other spans too.
func TestAnAbsenceRuleThatComesLater(t *testing.T) {
	t.Parallel()
	for lateness, want := range map[string]string{
		"2s": `25s firing [/a] value 10 from 25s first "" warn`,
		"5s": `22s firing [/a] value 10 from 22s first "" warn`,
	} {
		for _, restart := range []bool{false, true} {
			e, err := engine.New(parse(t, strings.Replace(threshold3, "> 2", "> 9", 1)+"id: other\ntitle: a rule\nseverity: warn\n"), engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			e.Observe(0, at(t, "0 user.id=a", 0), 0)
			e.Observe(0, at(t, "17 user.id=x", 1), 0)
			got := e.Advance()
			rules := parse(t, strings.Replace(strings.Replace(silentUsers, "LIST", "[a]", 1), "lateness: 2s", "lateness: "+lateness, 1))
			if restart {
				e, err = engine.Restore(rules, engine.Options{}, e.Snapshot())
			} else {
				err = e.SetRules(rules)
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Finish(base.Add(30*time.Second).UnixNano())...)
			if diff := cmp.Diff([]string{want}, text(changesOf(got))); diff != "" {
				t.Errorf("lateness %s, restart %v: state changes differ (-want +got):\n%s", lateness, restart, diff)
			}
		}
	}
}

// Engines that share the keys expect each its own only, from the start that they are told; together they say what one
// says that has all of them.
func TestExpectedKeysOfShards(t *testing.T) {
	t.Parallel()
	run := func(o engine.Options) (text []string, keys int) {
		e, err := engine.New(silent(t, "[a, b, c, d, e]"), o)
		if err != nil {
			t.Fatal(err)
		}
		e.Began(0, base.UnixNano())
		e.Take(at(t, "5 user.id=a", 0), nil)
		for _, c := range changesOf(e.Finish(base.Add(time.Minute).UnixNano())) {
			text = append(text, c.String())
		}
		if e.Start() != base.UnixNano() {
			t.Errorf("found the start %d, expected what it was told", e.Start())
		}
		return text, e.Keys()["r"]
	}
	want, all := run(engine.Options{})
	most := all
	var got []string
	for shard := range 3 {
		lines, keys := run(engine.Options{Shard: shard, Shards: 3})
		if keys == most {
			t.Errorf("shard %d has all keys", shard)
		}
		got = append(got, lines...)
		all -= keys
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || all != 0 || len(want) < 5 {
		t.Errorf("one engine (-) and three (+) differ, %d keys are nobody's:\n%s", all, diff)
	}
}

// While a rule tells that a node has fallen silent, imwatch-source-late says nothing of it.
func TestASilentNodeIsToldOnce(t *testing.T) {
	t.Parallel()
	absence := `
id: silent
title: a node fell silent
severity: high
group_by: [service.node.name]
detect: {absence: {window: WINDOW, expect: {learn: 1h}}}
time: {lateness: 0s, idle: 30s}
`
	run := func(yaml string) []string {
		e, err := engine.New(parse(t, yaml), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wall := func(s int) int64 { return base.Add(time.Duration(s) * time.Second).UnixNano() }
		n := 0
		heard := func(line string, s int) {
			e.Observe(0, at(t, line, n), wall(s))
			n++
		}
		var got []*event.Alert
		tick := func(s int) {
			e.Tick(wall(s), func(int) bool { return false })
			got = append(got, e.Advance()...)
		}
		heard("0 service.node.name=n1", 0)
		for s := 0; s <= 100; s += 10 {
			heard(strconv.Itoa(s)+" service.node.name=n2", s)
			heard(strconv.Itoa(s)+" service.node.name=n3", s)
			if s >= 90 {
				heard(strconv.Itoa(s)+" service.node.name=n1", s)
			}
			tick(s)
			e, err = engine.Restore(parse(t, yaml), engine.Options{}, e.Snapshot())
			if err != nil {
				t.Fatal(err)
			}
		}
		var all []string
		for _, a := range got {
			all = append(all, a.RuleID+" "+a.State+" "+a.Time.Sub(base).String())
		}
		return all
	}
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"silence comes first": {strings.Replace(absence, "WINDOW", "20s", 1), []string{"silent firing 20s", "silent resolved 1m30s"}},
		"it ends what was told": {strings.Replace(absence, "WINDOW", "50s", 1), []string{
			"imwatch-source-late firing 30s", "silent firing 50s", "imwatch-source-late resolved 1m0s", "silent resolved 1m30s",
		}},
		"nobody is told of a shadow rule": {strings.Replace(absence, "WINDOW", "20s", 1) + "status: shadow\n", []string{
			"silent firing 20s", "imwatch-source-late firing 30s", "imwatch-source-late resolved 1m30s", "silent resolved 1m30s",
		}},
	} {
		if diff := cmp.Diff(c.want, run(c.yaml)); diff != "" {
			t.Errorf("%s: state changes differ (-want +got):\n%s", name, diff)
		}
	}
}
