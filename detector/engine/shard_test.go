package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// TestShardsTogetherSayWhatOneEngineSays gives each event to the shards that it concerns, and of others only what it does
// to clocks.
func TestShardsTogetherSayWhatOneEngineSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := parse(t, drawRule(t, "a")+"---"+drawRule(t, "b")+"---"+drawRule(t, "c"))
		events := drawEvents(t, 3)
		end := base.Add(5 * time.Minute)
		want := lines(t, evaluate(t, rules, events, end))

		n := rapid.IntRange(1, 5).Draw(t, "shards")
		routes, err := engine.NewRoutes(rules, n)
		if err != nil {
			t.Fatal(err)
		}
		late := func(r *rule.Rule, node string, _ int64) { t.Fatalf("late for %s from %s", r.ID, node) }
		shards := make([]*engine.Engine, n)
		for i := range shards {
			if shards[i], err = engine.New(rules, engine.Options{Late: late, Shard: i, Shards: n}); err != nil {
				t.Fatal(err)
			}
		}
		var got []*event.Alert
		lateness := min(rules[0].Time.Lateness, rules[1].Time.Lateness, rules[2].Time.Lateness)
		for _, ev := range arrive(t, events, lateness) {
			to := routes.Of(ev)
			for i, e := range shards {
				if slices.Contains(to, i) {
					e.Observe(0, ev, 0)
				} else {
					e.Began(0, ev.UnixNano())
					e.Heard(0, ev.Node(), ev.UnixNano(), 0)
				}
				if rapid.IntRange(0, 3).Draw(t, "batch ends") == 0 {
					got = append(got, e.Advance()...)
				}
			}
		}
		for _, e := range shards {
			got = append(got, e.Finish(end.UnixNano())...)
		}
		got = slices.DeleteFunc(got, func(a *event.Alert) bool { return a.RuleID == engine.SourceLate })
		slices.SortStableFunc(got, engine.Order)
		if diff := cmp.Diff(want, lines(t, got)); diff != "" {
			t.Fatalf("one engine (-) and %d shards (+) differ:\n%s", n, diff)
		}
	})
}

// TestEachKeyHasOneShard routes events with several keys, and asks every shard's engine for what it keeps.
func TestEachKeyHasOneShard(t *testing.T) {
	t.Parallel()
	rules := parse(t, `
id: r
title: r
severity: warn
group_by: [event.type, user.id]
detect: {threshold: {count: "> 100", window: 1m}}
`)
	const n = 4
	routes, err := engine.NewRoutes(rules, n)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	var shards []*engine.Engine
	for i := range n {
		e, err := engine.New(rules, engine.Options{Shard: i, Shards: n})
		if err != nil {
			t.Fatal(err)
		}
		shards = append(shards, e)
	}
	users := []string{"u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"}
	for i, u := range users {
		ev := newEvent(event.ActionConnect, base.Add(time.Duration(i)*time.Second))
		ev.SetText(event.FieldEventID, "e-"+u)
		ev.SetText(event.FieldUserID, u)
		ev.SetList(event.FieldEventType, "start", "info")
		for _, s := range routes.Of(ev) {
			shards[s].Observe(0, ev, 0)
		}
	}
	for i, e := range shards {
		e.Finish(base.Add(10 * time.Second).UnixNano())
		keys := e.Keys()["r"]
		total += keys
		if keys == 0 {
			t.Errorf("shard %d has no key at all", i)
		}
	}
	if total != 2*len(users) {
		t.Errorf("the shards keep %d keys, expected %d", total, 2*len(users))
	}
}
