// Package pagerduty opens and closes PagerDuty's alerts by its Events API v2.
//
// The alert's id is the deduplication key: whatever is sent twice is one incident there, and its end resolves it.
package pagerduty

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
	"imwatch/event"
)

// What PagerDuty takes: runes of a summary, bytes of an event.
const (
	maxSummary = 1024
	maxEvent   = 512_000
)

// Service is one service. Safe for concurrent use.
type Service struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a service. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Service, error) {
	client, err := cfg.Client(client, true)
	if err != nil {
		return nil, fmt.Errorf("making PagerDuty's client: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &Service{cfg, client, now}, nil
}

// Close gives idle connections back.
func (s *Service) Close() { s.client.CloseIdleConnections() }

type request struct {
	Key     string   `json:"routing_key"`
	Action  string   `json:"event_action"`
	Dedup   string   `json:"dedup_key"`
	Client  string   `json:"client,omitempty"`
	Payload *payload `json:"payload,omitempty"`
	Links   []link   `json:"links,omitempty"`
}

type payload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details,omitempty"`
}

type link struct {
	URL  string `json:"href"`
	Text string `json:"text"`
}

// Send makes one attempt.
func (s *Service) Send(ctx context.Context, n channel.Notification) channel.Result {
	answer, result, done := egress.Call(ctx, s.client, s.cfg.URL, s.request(n), s.cfg.RoutingKey)
	if done {
		return result
	}
	if result, ok := egress.ByStatus(answer, s.now()); ok {
		return result
	}
	var a struct{ Status, Message string }
	if json.Unmarshal(answer.Body, &a) != nil || a.Status == "" {
		return channel.NoAnswer("HTTP %d without a status: %s", answer.Status, answer.Body)
	}
	if a.Status != "success" {
		return channel.Refuse("HTTP %d: %s", answer.Status, answer.Body)
	}
	return channel.Accept(fmt.Sprintf("HTTP %d: %s", answer.Status, a.Message))
}

func (s *Service) request(n channel.Notification) request {
	r := request{Key: s.cfg.RoutingKey, Action: "trigger", Dedup: n.Alert.ID, Client: "imwatch"}
	if n.Kind == channel.Resolved {
		r.Action = "resolve"
		return r
	}
	a := n.Alert
	r.Payload = &payload{
		Summary: channel.CutRunes(n.Message.Title, maxSummary), Source: source(&a, s.cfg.Source), Severity: severity(a.Severity),
		Timestamp: event.FormatTime(a.Time), Component: a.RuleID, Class: a.RuleName, Details: map[string]any{"text": channel.CutBytes(n.Message.Body, maxEvent/8)},
	}
	if len(n.Line) < maxEvent/2 {
		r.Payload.Details["alert"] = json.RawMessage(n.Line)
	}
	for _, l := range n.Message.Links {
		r.Links = append(r.Links, link{l.URL, l.Name})
	}
	return r
}

func source(a *event.Alert, otherwise string) string {
	for _, p := range a.Key {
		if p.Field == "service.node.name" {
			return cmp.Or(p.Value, otherwise)
		}
	}
	return otherwise
}

func severity(s string) string {
	switch s {
	case "critical":
		return "critical"
	case "high":
		return "error"
	case "warn":
		return "warning"
	}
	return "info"
}
