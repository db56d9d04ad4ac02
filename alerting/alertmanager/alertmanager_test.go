package alertmanager_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/alertmanager"
	"imwatch/alerting/channel"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

type alert struct {
	Labels           map[string]string
	StartsAt, EndsAt time.Time
}

func TestLifeOfAnAlert(t *testing.T) {
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	now := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	cfg := alertmanager.DefaultConfig()
	cfg.URLs, cfg.Labels = []string{r.Address() + "/"}, map[string]string{"source": "imwatch"}
	if err := cfg.Validate("am"); err != nil {
		t.Fatal(err)
	}
	c, err := alertmanager.New(cfg, nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	from := now.Add(-time.Minute)
	a := event.Alert{
		ID: "a", RuleID: "rule", RuleName: "Rule", Severity: "warn", From: from, Time: from, State: event.StateFiring,
		Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}}, Labels: map[string]string{"team": "im", "empty": ""},
	}
	send := func(kind channel.Kind) []alert {
		t.Helper()
		if got := c.Send(t.Context(), channel.Notification{ID: "n", Kind: kind, Alert: a}); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
		ms := r.Received()
		var out []alert
		if err := json.Unmarshal(ms[len(ms)-1].Body, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	labels := func(severity string) map[string]string {
		return map[string]string{"alertname": "rule", "rule_name": "Rule", "severity": severity, "client_ip": "192.0.2.1", "team": "im", "source": "imwatch"}
	}
	if diff := cmp.Diff([]alert{{labels("warn"), from, now.Add(24 * time.Hour)}}, send(channel.Firing)); diff != "" {
		t.Errorf("firing: -want +got\n%s", diff)
	}
	a.Severity, a.Time = "critical", from.Add(time.Second)
	got := send(channel.Updated)
	if len(got) != 4 || got[0].Labels["severity"] != "critical" || !got[0].EndsAt.After(now) {
		t.Errorf("updated: %+v", got)
	}
	for _, lower := range got[1:] {
		if lower.EndsAt.After(now) || lower.Labels["severity"] == "critical" {
			t.Errorf("a lower severity goes on: %+v", lower)
		}
	}
	a.Time, a.To = now, from // an end that is no later than the start
	for _, ended := range send(channel.Resolved) {
		if ended.EndsAt.After(now) || !ended.EndsAt.After(ended.StartsAt) {
			t.Errorf("resolved: %+v", ended)
		}
	}
}

func TestValidate(t *testing.T) {
	cfg := alertmanager.Config{Labels: map[string]string{"a.b": "x"}, URLs: []string{"ftp://h"}}
	err := cfg.Validate("am")
	for _, want := range []string{"am.urls[0]", `such as "a_b"`, "am.hold"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
