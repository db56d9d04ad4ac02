package rule_test

import (
	"strings"
	"testing"
	"time"

	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

const textRule = `id: x
title: Errors
severity: warn
group_by: [client.ip, service.node.name]
detect: {threshold: {count: "> 20", window: 1m}}
labels: {team: im}
evidence: {top: {event.reason: 2}}
annotations:
  all: '{{ .Rule }} {{ .Title }} {{ .Severity }} {{ .State }} {{ .Key "client.ip" }} {{ .Key "service.node.name" }} {{ .Value }} {{ .Limit }} {{ .Window }} {{ .From }} {{ .Labels.team }} {{ .Top "event.reason" }}'
  day: '{{ .From.Format "2 January" }}'
  each: |
    {{ range .Top "event.reason" }}
    - {{ .Value }}: {{ .Count }}
    {{- end }}
  many: '{{ if gt .Value 1000.0 }}many{{ else }}few{{ end }}'
  number: '{{ printf "%.1f" .Value }}'
`

func alert() *event.Alert {
	return &event.Alert{
		ID: "a1", RuleID: "x", State: event.StateFiring, Severity: "critical", Value: 2_500_000, Limit: "> 20", Window: "1m",
		From:   time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
		Key:    []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}, {Field: "service.node.name", Value: "im-1"}},
		Labels: map[string]string{"team": "im"},
		Top:    map[string][]event.TopValue{"event.reason": {{Value: "token_expired", Count: 14}, {Value: "tls", Count: 0.5}}},
	}
}

func TestRender(t *testing.T) {
	a := alert()
	if err := parseOne(t, textRule).Render(a); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"all":    "x Errors critical firing 192.0.2.1 im-1 2500000 > 20 1m 2026-11-21T10:00:00.000Z im token_expired (14), tls (0.5)",
		"day":    "21 November",
		"each":   "- token_expired: 14\n- tls: 0.5",
		"many":   "many",
		"number": "2500000.0",
	}
	if diff := cmp.Diff(want, a.Annotations); diff != "" {
		t.Error(diff)
	}
}

func TestRenderKeepsTheLettersOfTheStart(t *testing.T) {
	a := alert()
	a.FromText = "2026-11-21T18:00:00+08:00"
	if err := parseOne(t, textRule).Render(a); err != nil || !strings.Contains(a.Annotations["all"], a.FromText) {
		t.Errorf("got %q (%v)", a.Annotations["all"], err)
	}
}

// A text that fails only for some alert must not lose the alert.
func TestRenderFailureLeavesTheSource(t *testing.T) {
	source := `{{ if eq .Value 7.0 }}{{ index .Labels "a" | len | slice "x" }}{{ end }}`
	r := parseOne(t, "id: x\ntitle: T\nseverity: warn\ndetect: {threshold: {count: \"> 1\", window: 1m}}\nlabels: {a: long}\nannotations:\n  bad: '"+source+"'\n  good: fine\n")
	a := alert()
	a.Value = 7
	err := r.Render(a)
	if err == nil || !strings.Contains(err.Error(), "annotation bad of rule x") {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(map[string]string{"bad": source, "good": "fine"}, a.Annotations); diff != "" {
		t.Error(diff)
	}
}
