package explain_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/backtest"
	"imwatch/detector/explain"
	"imwatch/detector/rule"
	"imwatch/event"
)

// An explanation must agree with the alerts that a backtest gives of the same events, at any instant, from the store
// with its look-back as well as from the file.
func TestExplanationsAgreeWithTheAlerts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		detect := rapid.SampledFrom([]string{
			`threshold: {count: "> 2", window: 3s}`, `threshold: {count: "== 2", window: 3s}`,
			`consecutive: {count: 3, max_gap: 4s, reset: 'event.action: connect'}`,
		}).Draw(t, "detect")
		yaml := fmt.Sprintf("id: r\ntitle: T\nseverity: warn\nwhere: 'event.action: handshake_failure'\ngroup_by: [client.ip]\ndetect: {%s}\nfor: %ds\nresolve: {after: %ds}\n",
			detect, rapid.IntRange(0, 2).Draw(t, "for"), rapid.IntRange(0, 3).Draw(t, "after"))
		rules, findings := rule.Parse("r.yaml", []byte(yaml))
		if len(rules) != 1 {
			t.Fatal(findings)
		}
		var file strings.Builder
		var events []*event.Event
		now := 0.0
		for i := range rapid.IntRange(1, 60).Draw(t, "events") {
			now += float64(rapid.IntRange(0, 40).Draw(t, "gap")) / 10
			action := rapid.SampledFrom([]string{"handshake_failure", "handshake_failure", "handshake_failure", "connect"}).Draw(t, "action")
			l := line(now, fmt.Sprintf("e%03d", i), action, "")
			file.WriteString(l)
			ev := &event.Event{}
			if err := event.Decode([]byte(l), ev); err != nil {
				t.Fatal(err)
			}
			events = append(events, ev)
		}
		q := request(rules[0], float64(rapid.IntRange(0, int(now*10)+100).Draw(t, "at"))/10)
		want, id := state(t, rules, file.String(), q)
		fromFile, err := explain.File(context.Background(), strings.NewReader(file.String()), "x", q)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := explain.Store(context.Background(), backtest.NewMemory(events), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []*explain.Report{fromFile, stored} {
			open, gotID := false, ""
			if got.Spell != nil && got.Spell.Phase != "pending" {
				open, gotID = true, got.Spell.ID
			}
			if open != want || gotID != id {
				t.Fatalf("%s at %v: alert open %t (%s), a backtest says %t (%s)\n%s", got.Source, q.At, open, gotID, want, id, yaml+file.String())
			}
		}
		if fromFile.Value != stored.Value || fromFile.Verdict != stored.Verdict {
			t.Fatalf("file says %s, store says %s", fromFile.Why, stored.Why)
		}
	})
}

// state gives whether an alert is open at the instant, and its id, from the lines of a backtest up to there.
func state(t *rapid.T, rules []*rule.Rule, file string, q explain.Request) (open bool, id string) {
	var out bytes.Buffer
	to := q.At.Add(1)
	if _, err := backtest.File(context.Background(), strings.NewReader(file), "x", backtest.Options{Rules: rules, Out: &out, To: to}); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(out.String()) {
		var a event.Alert
		if err := a.UnmarshalJSON([]byte(l)); err != nil {
			t.Fatal(err)
		}
		if a.Time.After(q.At) {
			continue
		}
		open, id = a.State != event.StateResolved, a.ID
	}
	if !open {
		id = ""
	}
	return open, id
}
