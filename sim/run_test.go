package sim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/sim"

	"github.com/google/go-cmp/cmp"
)

// One run with every trouble that clients can make, against two real servers: what the simulation says it did must be
// what the servers wrote.
func TestRunAgainstRealServers(t *testing.T) {
	t.Parallel()
	fleet := startServers(t, 2)
	s := sim.Scenario{
		Name: "all", Title: "all", Duration: 8 * time.Second, Users: 30, Ramp: 500 * time.Millisecond, Chat: 10, Nodes: 2,
		Heartbeat: pingEvery,
		Troubles: []sim.Trouble{
			{Kind: sim.BadTokens, At: 600 * time.Millisecond, For: time.Second, Count: 25, Addresses: 5, Reason: event.HandshakeTokenSignature},
			{Kind: sim.Silent, At: 100 * time.Millisecond, Count: 12},
			{Kind: sim.Hammer, At: time.Second, For: time.Second, Rate: 30},
			{Kind: sim.Reset, At: 900 * time.Millisecond, Count: 1},
			{Kind: sim.SharedAddr, At: 600 * time.Millisecond, For: time.Second, Count: 5},
			{Kind: sim.NodeStop, At: 2 * time.Second, For: 5 * time.Second, Node: 1},
		},
	}
	var mu sync.Mutex
	var begun []sim.Kind
	report, err := sim.Run(t.Context(), sim.Options{
		Target: fleet.targets(), Scenario: s, Seed: 1, Tokens: tokens(), Nodes: fleet, NodeNames: []string{"im-1", "im-2"},
		Progress: func(p sim.Progress) {
			mu.Lock()
			defer mu.Unlock()
			if p.Trouble != nil {
				begun = append(begun, p.Trouble.Kind)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range fleet.nodes {
		if err := fleet.Stop(t.Context(), i, false); err != nil {
			t.Fatal(err)
		}
	}
	checkAgainst(t, report, fleet.events())
	want := []sim.Kind{sim.Silent, sim.BadTokens, sim.SharedAddr, sim.Hammer, sim.Reset, sim.NodeStop}
	slices.SortFunc(begun, func(a, b sim.Kind) int { return slices.Index(want, a) - slices.Index(want, b) })
	if diff := cmp.Diff(want, begun); diff != "" {
		t.Errorf("troubles told (-want +got):\n%s", diff)
	}
	labels := map[string]string{}
	for _, l := range report.Labels {
		for _, rule := range l.Rules {
			if l.Kind == sim.Anomaly {
				labels[rule] += l.Key["event.reason"] + l.Key["service.node.name"] + l.Key["client.ip"]
			}
		}
	}
	wantLabels := map[string]string{
		"handshake-failures-by-reason": "token_signature", "heartbeat-timeouts-by-node": "im-1", "connect-flood-by-ip": "127.102.0.1",
	}
	if diff := cmp.Diff(wantLabels, labels); diff != "" {
		t.Errorf("anomalies (-want +got):\n%s", diff)
	}
}

// checkAgainst compares a report with the servers' own lines.
func checkAgainst(t *testing.T, report sim.Report, events []*event.Event) {
	t.Helper()
	count := func(match func(*event.Event) bool) (n int64) {
		for _, e := range events {
			if match(e) {
				n++
			}
		}
		return n
	}
	action := func(a event.Action) func(*event.Event) bool {
		return func(e *event.Event) bool { return e.Action() == a.Code }
	}
	by := map[string]sim.ActorReport{}
	for _, a := range report.Actors {
		by[a.Name] = a
	}
	for _, c := range []struct {
		what      string
		said, did int64
	}{
		{"connects", report.Total().Connects, count(action(event.ActionConnect))},
		{"ends", report.Total().Connects, count(action(event.ActionDisconnect))},
		{"bad tokens refused", by["bad-tokens"].Refusals["token_signature"], 25},
		{"bad tokens in the log", 25, count(func(e *event.Event) bool {
			return e.Text(event.FieldEventReason) == "token_signature" && strings.HasPrefix(e.Text(event.FieldClientIP), "127.100.0.")
		})},
		{"silent clients", 12, count(action(event.ActionHeartbeatTimeout))},
		{"resets", 1, count(func(e *event.Event) bool { return e.Text(event.FieldCloseReason) == event.ClosePeerReset.Reason })},
		{"hammered", by["hammer"].Connects, count(func(e *event.Event) bool {
			return e.Action() == event.ActionConnect.Code && e.Text(event.FieldClientIP) == "127.102.0.1"
		})},
		{"hammer", 30, by["hammer"].Connects + by["hammer"].Failures},
		{"nodes started", 3, count(action(event.ActionServerStart))},
	} {
		if c.said != c.did {
			t.Errorf("%s: %d and %d", c.what, c.said, c.did)
		}
	}
	u := by["users"]
	if u.Connects < 30 || u.Sent < 100 || u.Received < u.Sent/3 || u.Acked == 0 || u.Lost == 0 || u.LatencyMS <= 0 {
		t.Errorf("users: %+v", u)
	}
	if office := by["shared-address"]; office.Connects < 5 {
		t.Errorf("office: %+v", office)
	}
	if drained := count(func(e *event.Event) bool { return e.Text(event.FieldCloseReason) == event.CloseDrain.Reason }); drained < 10 {
		t.Errorf("%d connections were drained", drained)
	}
	if again := count(func(e *event.Event) bool { return e.Text(event.FieldConnPrevReason) == event.CloseDrain.Reason }); again < 10 {
		t.Errorf("%d clients said that they were drained", again)
	}
}

// When the context ends, the run ends, with all connections closed and the report whole.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	fleet := startServers(t, 1)
	s := scenario(t, "demo")
	s.Users = 20
	ctx, cancel := context.WithCancel(t.Context())
	report, err := sim.Run(ctx, sim.Options{
		Target: fleet.targets(), Scenario: s, Tokens: tokens(),
		Progress: func(p sim.Progress) {
			if p.Online > 0 {
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Total().Connects == 0 || report.To.Sub(report.From) > s.Duration/2 || len(report.Labels) != 1 {
		t.Errorf("%+v", report)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	stopping, panicking := scenario(t, "node-stop"), scenario(t, "panic")
	for _, c := range []struct {
		name string
		o    sim.Options
		want string
	}{
		{"no target", sim.Options{Scenario: scenario(t, "calm"), Tokens: tokens()}, "target: none"},
		{"no tokens", sim.Options{Scenario: scenario(t, "calm"), Target: []string{"ws://x"}}, "tokens: none"},
		{"no control", sim.Options{Scenario: stopping, Target: []string{"ws://x"}, Tokens: tokens()}, "trouble 1 (node-stop) needs control over the servers"},
		{"no such thing for clients", sim.Options{Scenario: panicking, Target: []string{"ws://x"}, Tokens: tokens()}, "trouble 1 (panic) is made by servers; it can only be generated"},
		{"names", sim.Options{Scenario: scenario(t, "calm"), Target: []string{"ws://x"}, Tokens: tokens(), NodeNames: []string{"a", "b"}}, "node names: 2 for 1 targets"},
		{"bad scenario", sim.Options{Target: []string{"ws://x"}, Tokens: tokens()}, "it needs a name"},
		{"bad address", sim.Options{Scenario: short(), Target: []string{"http://x"}, Tokens: tokens()}, "expected ws://"},
	} {
		if _, err := sim.Run(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.name, err, c.want)
		}
	}
}

// short is a scenario of one client that ends at once.
func short() sim.Scenario {
	return sim.Scenario{Name: "short", Duration: 50 * time.Millisecond, Users: 1, Nodes: 1}
}

// A source of tokens that fails is a fault of the simulation, not of the server.
func TestRunSaysThatTokensCannotBeMade(t *testing.T) {
	t.Parallel()
	s := short()
	s.Duration = time.Second
	s.Users = 0
	s.Troubles = []sim.Trouble{{Kind: sim.BadTokens, For: time.Millisecond, Count: 1, Reason: event.HandshakeTokenRevoked}}
	_, err := sim.Run(t.Context(), sim.Options{Target: []string{"ws://127.0.0.1:1/ws/connect"}, Scenario: s, Tokens: tokens()})
	if err == nil || !strings.Contains(err.Error(), `refused for "token_revoked"`) {
		t.Error(err)
	}
}

// Without a server clients go on trying until the run ends; that is counted, not an error.
func TestRunWithoutServer(t *testing.T) {
	t.Parallel()
	s := short()
	s.Duration = 300 * time.Millisecond
	report, err := sim.Run(t.Context(), sim.Options{Target: []string{"ws://127.0.0.1:1/ws/connect"}, Scenario: s, Tokens: tokens()})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	u := report.Total()
	if u.Connects != 0 || u.Refusals["network"] == 0 {
		t.Errorf("%+v", u)
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil || !strings.Contains(text.String(), fmt.Sprintf("network %d\n", u.Refusals["network"])) {
		t.Errorf("%v:\n%s", err, text.String())
	}
}
