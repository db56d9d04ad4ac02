package inhibit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/alerting/route"
	"imwatch/event"
)

var start = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func alert(id, rule, node, state string) *event.Alert {
	a := &event.Alert{ID: id, RuleID: rule, State: state, Severity: "high", From: start, Time: start}
	if node != "" {
		a.Key = []event.KeyPart{{Field: "service.node.name", Value: node}}
	}
	return a
}

func nodeDown(t *testing.T) *Board {
	t.Helper()
	b, err := New([]Rule{{Source: []string{"rule = node-down"}, Target: []string{`rule =~ "heartbeat-.*"`}, Equal: []string{"key.service.node.name"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCascade: of a node that is down one is told, with the number of the others; another node's are told.
func TestCascade(t *testing.T) {
	t.Parallel()
	b := nodeDown(t)
	if _, ok := b.Held(alert("h-0", "heartbeat-timeouts", "im-1", "firing")); ok {
		t.Error("held back by nothing")
	}
	b.Note(alert("n-1", "node-down", "im-1", "firing"))
	for i := range 1000 {
		for range 2 { // asked again, it is the same alert
			if by, ok := b.Held(alert(fmt.Sprintf("h-%d", i), "heartbeat-timeouts", "im-1", "firing")); !ok || by.ID != "n-1" {
				t.Fatalf("alert %d is held by %q, %v", i, by.ID, ok)
			}
		}
	}
	for _, a := range []*event.Alert{
		alert("x", "heartbeat-timeouts", "im-2", "firing"), alert("x", "heartbeat-timeouts", "", "firing"), alert("x", "cpu", "im-1", "firing"),
		alert("n-1", "node-down", "im-1", "firing"),
	} {
		if by, ok := b.Held(a); ok {
			t.Errorf("%s of %v is held by %s", a.RuleID, a.Key, by.ID)
		}
	}
	if n := b.Folded("n-1"); n != 1000 {
		t.Errorf("%d are folded into it", n)
	}
	b.Note(alert("n-1", "node-down", "im-1", "resolved"))
	if _, ok := b.Held(alert("h-0", "heartbeat-timeouts", "im-1", "firing")); ok || b.Folded("n-1") != 0 {
		t.Error("held back by what is over")
	}
}

func TestShadowHoldsNothingBack(t *testing.T) {
	t.Parallel()
	b := nodeDown(t)
	a := alert("n-1", "node-down", "im-1", "firing")
	a.Status = "shadow"
	b.Note(a)
	if _, ok := b.Held(alert("h", "heartbeat-timeouts", "im-1", "firing")); ok {
		t.Error("held back by what nobody is told of")
	}
}

// TestOldestIsTheParent: of several sources the first one counts what is folded, and the next one after its end.
func TestOldestIsTheParent(t *testing.T) {
	t.Parallel()
	b := nodeDown(t)
	second := alert("a", "node-down", "im-1", "firing")
	second.From = start.Add(time.Second)
	b.Note(second)
	b.Note(alert("z", "node-down", "im-1", "firing"))
	for _, want := range []string{"z", "a"} {
		if by, ok := b.Held(alert("h", "heartbeat-timeouts", "im-1", "firing")); !ok || by.ID != want {
			t.Errorf("held by %q, want %s", by.ID, want)
		}
		b.Note(alert(want, "node-down", "im-1", "resolved"))
	}
}

// TestBadRulesAreSaid names each fault by its key.
func TestBadRulesAreSaid(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Rule{
		"[1].source: at least one":     {Target: []string{"rule = a"}},
		"target[0]: unknown name":      {Source: []string{"rule = a"}, Target: []string{"ruel = a"}},
		"equal[0]: unknown name \"x\"": {Source: []string{"rule = a"}, Target: []string{"rule = b"}, Equal: []string{"x"}},
	} {
		good := Rule{Source: []string{"rule = a"}, Target: []string{"rule = b"}}
		if _, err := New([]Rule{good, r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestBoardAgreesWithALook: whatever was noted, the board says what a look at all that fires says.
func TestBoardAgreesWithALook(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Rule {
			cond := rapid.SampledFrom([]string{"rule = a", "rule = b", "rule != a", `rule =~ "[ab]"`, "severity = high", "key.n = 1", "key.n in [1, 2]"})
			return Rule{
				Source: rapid.SliceOfN(cond, 1, 2).Draw(t, "source"), Target: rapid.SliceOfN(cond, 1, 2).Draw(t, "target"),
				Equal: rapid.SliceOfN(rapid.SampledFrom([]string{"key.n", "key.m", "severity"}), 0, 2).Draw(t, "equal"),
			}
		}), 1, 4).Draw(t, "rules")
		b, err := New(rules)
		if err != nil {
			t.Fatal(err)
		}
		firing := map[string]*event.Alert{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			a := drawAlert(t)
			if rapid.Bool().Draw(t, "note") {
				b.Note(a)
				if firing[a.ID] = a; a.State == event.StateResolved {
					delete(firing, a.ID)
				}
				continue
			}
			by, ok := b.Held(a)
			if _, want := look(rules, firing, a); want != ok {
				t.Fatalf("%+v is held: %v by %q, want %v", a, ok, by.ID, want)
			}
			if ok && b.Folded(by.ID) == 0 {
				t.Fatalf("%s holds something back and counts nothing", by.ID)
			}
		}
		left := 0
		for _, groups := range b.held {
			left += len(groups)
		}
		if len(firing) == 0 && left+len(b.firing) > 0 {
			t.Fatalf("%d groups and %d sources are left of nothing", left, len(b.firing))
		}
	})
}

func drawAlert(t *rapid.T) *event.Alert {
	n := rapid.IntRange(0, 5).Draw(t, "id")
	a := &event.Alert{
		ID: fmt.Sprint(n), RuleID: string(rune('a' + n%3)), From: start.Add(time.Duration(n%2) * time.Second),
		Severity: rapid.SampledFrom([]string{"high", "warn"}).Draw(t, "severity"), State: rapid.SampledFrom([]string{"firing", "updated", "resolved"}).Draw(t, "state"),
	}
	for _, field := range []string{"n", "m"} {
		if v := rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, field); v != "" {
			a.Key = append(a.Key, event.KeyPart{Field: field, Value: v})
		}
	}
	return a
}

// look is Held as its description says, without an index.
func look(rules []Rule, firing map[string]*event.Alert, a *event.Alert) (by string, ok bool) {
	all := func(texts []string, a *event.Alert) bool {
		list, err := route.ParseMatchers(texts)
		return err == nil && route.MatchAll(list, a)
	}
	for _, r := range rules {
		for id, s := range firing {
			same := true
			for _, name := range r.Equal {
				of, err := route.Value(name)
				same = same && err == nil && of(a) != "" && of(a) == of(s)
			}
			mutual := all(r.Source, a) && all(r.Target, s)
			if id != a.ID && same && all(r.Source, s) && all(r.Target, a) && !mutual {
				return id, true
			}
		}
	}
	return "", false
}

// BenchmarkHeld asks for an alert among 10,000 that fire, with 200 rules.
func BenchmarkHeld(b *testing.B) {
	var rules []Rule
	for i := range 200 {
		rules = append(rules, Rule{Source: []string{fmt.Sprintf("rule = cause-%d", i)}, Target: []string{fmt.Sprintf("rule = effect-%d", i)}, Equal: []string{"key.service.node.name"}})
	}
	board, err := New(rules)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		board.Note(alert(fmt.Sprintf("c-%d", i), fmt.Sprintf("cause-%d", i%200), fmt.Sprintf("im-%d", i%500), "firing"))
	}
	a := alert("e", "effect-7", "im-7", "firing")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := board.Held(a); !ok {
			b.Fatal("not held")
		}
	}
}
