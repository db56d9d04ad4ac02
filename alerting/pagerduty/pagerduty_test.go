package pagerduty_test

import (
	"encoding/json"
	"strings"
	"testing"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/pagerduty"
	"imwatch/event"
)

func TestTriggerAndResolve(t *testing.T) {
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cfg := pagerduty.DefaultConfig()
	cfg.URL, cfg.RoutingKey = r.PagerDutyURL(), robot.RoutingKey
	if err := cfg.Validate("pd"); err != nil {
		t.Fatal(err)
	}
	s, err := pagerduty.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for severity, want := range map[string]string{"critical": "critical", "high": "error", "warn": "warning", "info": "info"} {
		n := channel.Notification{
			ID: "n", Kind: channel.Firing, Line: []byte(`{"rule":{"id":"r"}}`), Message: channel.Message{Title: strings.Repeat("标", 2000), Links: []channel.Link{{Name: "l", URL: "https://x"}}},
			Alert: event.Alert{ID: "alert-1", Severity: severity, Key: []event.KeyPart{{Field: "service.node.name", Value: "im-7"}}},
		}
		if got := s.Send(t.Context(), n); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
		n.Kind = channel.Resolved
		if got := s.Send(t.Context(), n); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
		ms := r.Received()
		var fired struct {
			Payload struct {
				Severity, Source string
				Details          struct {
					Alert struct{ Rule struct{ ID string } }
				} `json:"custom_details"`
			}
			Links []struct{ Href string }
		}
		if err := json.Unmarshal(ms[len(ms)-2].Body, &fired); err != nil {
			t.Fatal(err)
		}
		if fired.Payload.Severity != want || fired.Payload.Source != "im-7" || fired.Payload.Details.Alert.Rule.ID != "r" || len(fired.Links) != 1 {
			t.Errorf("%s: %+v", severity, fired)
		}
		if last := ms[len(ms)-1]; !strings.HasPrefix(last.Text, "resolve") || last.To != "alert-1" {
			t.Errorf("%+v", last)
		}
	}
}

func TestKeyIsInNoWords(t *testing.T) {
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cfg := pagerduty.DefaultConfig()
	cfg.URL, cfg.RoutingKey = r.PagerDutyURL(), robot.RoutingKey
	s, err := pagerduty.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r.Plan(robot.PagerDuty, robot.Answer{Status: 400, Body: `{"status":"invalid event","errors":["` + robot.RoutingKey + `"]}`})
	if got := s.Send(t.Context(), channel.Notification{Alert: event.Alert{ID: "a"}}); got.Verdict != channel.Permanent || strings.Contains(got.Words, robot.RoutingKey) {
		t.Errorf("%+v", got)
	}
	bad := pagerduty.Config{URL: "https://u:p@h/"}
	if err := bad.Validate("pd"); err == nil || !strings.Contains(err.Error(), "pd.routing_key") || !strings.Contains(err.Error(), "pd.url") || strings.Contains(err.Error(), "u:p") {
		t.Errorf("%v", err)
	}
}
