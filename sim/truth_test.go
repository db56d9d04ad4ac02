package sim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/sim"
)

// plainRule is a shipped rule in the plainest form: no lateness, no order but that of the lines.
type plainRule struct {
	id     string
	key    event.FieldID // event.NoField: one group
	match  func(*event.Event) bool
	resets func(*event.Event) bool // nil: a threshold
	above  int
	window time.Duration
	calm   time.Duration // without the condition until the alert ends
}

func plainRules() []plainRule {
	level := func(levels ...string) func(*event.Event) bool {
		return func(e *event.Event) bool {
			for _, l := range levels {
				if e.Text(event.FieldLogLevel) == l {
					return true
				}
			}
			return false
		}
	}
	action := func(a event.Action) func(*event.Event) bool {
		return func(e *event.Event) bool { return e.Action() == a.Code }
	}
	bad := level(event.LevelError, event.LevelFatal)
	return []plainRule{
		{"error-burst", event.NoField, bad, nil, 20, time.Minute, 2 * time.Minute},
		{"fatal-event", event.FieldServiceNode, level(event.LevelFatal), nil, 0, time.Minute, 4 * time.Minute},
		{"connect-flood-by-ip", event.FieldClientIP, action(event.ActionConnect), nil, 10, time.Second, time.Minute},
		{"handshake-failures-by-reason", event.FieldEventReason, action(event.ActionHandshakeFailure), nil, 20, time.Minute, 2 * time.Minute},
		{"heartbeat-timeouts-by-node", event.FieldServiceNode, action(event.ActionHeartbeatTimeout), nil, 10, time.Minute, 2 * time.Minute},
		{"node-died", event.FieldConnNode, action(event.ActionOrphaned), nil, 9, time.Minute, 5 * time.Minute},
		{"node-consecutive-errors", event.FieldServiceNode, func(e *event.Event) bool {
			return bad(e) && e.Action() != event.ActionHeartbeatTimeout.Code && e.Action() != event.ActionOrphaned.Code
		}, func(e *event.Event) bool { return !bad(e) }, 4, 10 * time.Minute, time.Minute},
	}
}

// alerts gives the firing lines of one rule.
func (r plainRule) alerts(t *testing.T, events []*event.Event) (lines []byte) {
	t.Helper()
	recent, last := map[string][]time.Time{}, map[string]time.Time{}
	for _, e := range events {
		key := "all"
		var parts []event.KeyPart
		if r.key != event.NoField {
			key = e.Text(r.key)
			parts = []event.KeyPart{{Field: event.FieldByID(r.key).Name, Value: key}}
		}
		if r.resets != nil && r.resets(e) {
			recent[key] = nil
		}
		if !r.match(e) {
			continue
		}
		in := append(recent[key], e.Time())
		for !in[0].After(e.Time().Add(-r.window)) {
			in = in[1:]
		}
		recent[key] = in
		if len(in) <= r.above {
			continue
		}
		if e.Time().Sub(last[key]) > r.calm {
			a := event.Alert{
				Time: e.Time(), From: e.Time(), ID: r.id + key + e.ID(), State: event.StateFiring, RuleID: r.id, Status: "enabled",
				Severity: "high", Key: parts, Value: float64(len(in)), Limit: fmt.Sprintf("> %d", r.above), FirstEvent: e.ID(),
			}
			line, err := json.Marshal(&a)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(append(lines, line...), '\n')
		}
		last[key] = e.Time()
	}
	return lines
}

// The labels must be true: rules as shipped, read plainly, find every anomaly that is labelled and nothing else,
// whatever the seed.
func TestLabelsAreTheTruth(t *testing.T) {
	t.Parallel()
	for _, s := range sim.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(2) {
				m := generate(t, s, seed, sim.GenerateOptions{Users: min(s.Users, 300)})
				var alerts []byte
				for _, r := range plainRules() {
					alerts = append(alerts, r.alerts(t, m.events)...)
				}
				got, err := sim.Score(bytes.NewReader(alerts), bytes.NewReader(m.labels))
				if err != nil {
					t.Fatal(err)
				}
				if got.All.Precision != 1 || got.All.Recall != 1 {
					t.Errorf("seed %d: missed %v, wrong %v", seed, got.Missed, got.Wrong)
				}
			}
		})
	}
}
