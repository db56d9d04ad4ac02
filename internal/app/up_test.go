package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/detector"
	"imwatch/event"
	"imwatch/internal/store"
	"imwatch/sim"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The whole in one process: bad tokens of real clients become lines, documents, one alert and one message; and after a
// restart on the same folder nothing is told again.
func TestUpFromClientToRobot(t *testing.T) {
	bot, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer bot.Close()
	scenario := sim.Scenario{
		Name: "test", Title: "bad tokens", Duration: 6 * time.Second, Users: 5, Ramp: time.Second, Nodes: 1, Heartbeat: 5 * time.Second,
		Troubles: []sim.Trouble{{Kind: sim.BadTokens, At: time.Second, For: time.Second, Count: 25, Addresses: 25, Reason: event.HandshakeTokenSignature}},
	}
	cfg, err := demoConfig(DemoOptions{Data: t.TempDir()}, bot, scenario)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := up(ctx, cfg, Streams{Out: io.Discard, Err: t.Output()}, func(at addresses) {
			go func() {
				defer cancel()
				if round == 0 {
					playUntilTold(ctx, t, cfg, at, scenario, bot)
				}
			}()
		}, func() error { return nil })
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	got := bot.Received()
	if len(got) != 1 || !strings.Contains(string(got[0].Body), "token_signature") {
		t.Errorf("the robot got %d messages: %s", len(got), got)
	}
	checkStored(t, cfg)
}

func playUntilTold(ctx context.Context, t *testing.T, cfg Config, at addresses, scenario sim.Scenario, bot *robot.Robot) {
	t.Helper()
	tokens, _ := tokenSource(cfg)
	if _, err := sim.Run(ctx, sim.Options{Target: []string{"ws://" + at.clients + "/ws/connect"}, Scenario: scenario, Tokens: tokens}); err != nil {
		t.Error(err)
	}
	if _, err := bot.Wait(ctx, func(ms []robot.Message) bool { return len(ms) > 0 }); err != nil {
		t.Error(err)
	}
	checkRulesPage(ctx, t, at.ops)
}

// checkRulesPage asks over HTTP for the rules that run until what was told is found there.
func checkRulesPage(ctx context.Context, t *testing.T, ops string) {
	t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	for {
		r, err := askForRule(ctx, "http://"+ops+"/-/rules", "handshake-failures-by-reason")
		if err != nil {
			t.Error(err)
			return
		}
		if r.Alerts[event.StateFiring] == 1 && r.LastAlert != nil && r.Events == 25 {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Errorf("found %+v", r)
			return
		}
	}
}

func askForRule(ctx context.Context, url, id string) (detector.RuleStatus, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return detector.RuleStatus{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return detector.RuleStatus{}, err
	}
	defer resp.Body.Close()
	var page detector.RulesStatus
	dec := json.NewDecoder(resp.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&page); err != nil || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		return detector.RuleStatus{}, fmt.Errorf("%s: %v: %w", resp.Status, resp.Header, err)
	}
	i := slices.IndexFunc(page.Rules, func(r detector.RuleStatus) bool { return r.ID == id })
	if i < 0 {
		return detector.RuleStatus{}, fmt.Errorf("rule %s is not among %d", id, len(page.Rules))
	}
	return page.Rules[i], nil
}

// checkStored finds each of the 25 failures as one document, as an investigator would.
func checkStored(t *testing.T, cfg Config) {
	t.Helper()
	s := newSite(cfg, Streams{Out: io.Discard, Err: t.Output()})
	if err := s.openStore(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	failures := 0
	for hit, err := range s.store.Search(t.Context(), store.Query{Indices: event.EventIndices}) {
		if err != nil {
			t.Fatal(err)
		}
		var e event.Event
		if err := hit.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.Action() == event.ActionHandshakeFailure.Code {
			failures++
		}
	}
	if failures != 25 {
		t.Errorf("%d documents of failed handshakes, want 25", failures)
	}
}
