package ruletest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/rule"
	"imwatch/detector/ruletest"
)

const covered = `
id: r
title: a rule
severity: warn
where: 'event.action: handshake_failure and not event.reason: draining'
group_by: [client.ip]
detect: {consecutive: {count: 3, reset: 'event.action: connect'}}
severity_when: {critical: ">= 5"}
tests:
`

func coverage(t *testing.T, tests string) *ruletest.Coverage {
	t.Helper()
	all, findings := rule.Parse("r.yaml", []byte(covered+tests))
	if rule.HasErrors(findings) {
		t.Fatal(findings)
	}
	report := ruletest.Run(all)
	for _, f := range report.Failed() {
		t.Fatal(f.Failures)
	}
	return &report.Coverage[0]
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	fires := `
  - name: fires
    events:
      - {at: 0s..2s, count: 3, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
    expect: [{at: 2s}]
`
	for name, c := range map[string]struct {
		tests string
		hit   int
		gaps  []string
	}{
		"no test": {" []", 0, []string{
			"where: event.action: handshake_failure was never true",
			"where: event.action: handshake_failure was never false",
			"where: event.reason: draining was never true",
			"where: event.reason: draining was never false",
			"detect.consecutive.reset: event.action: connect was never true",
			"detect.consecutive.reset: event.action: connect was never false",
			"no test makes it fire",
			"no test shows when it does not fire: too few events of a key, or others",
			"no alert has the severity critical",
		}},
		"one that fires": {fires, 4, []string{
			"where: event.action: handshake_failure was never false",
			"where: event.reason: draining was never true",
			"detect.consecutive.reset: event.action: connect was never true",
			"no test shows when it does not fire: too few events of a key, or others",
			"no alert has the severity critical",
		}},
		"all": {fires + `
  - name: a connection between, and a node that drains
    events:
      - {at: 0s..1s, count: 2, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
      - {at: 2s, set: {event.action: connect, client.ip: 192.0.2.1}}
      - {at: 3s..4s, count: 2, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
      - {at: 5s, set: {event.action: handshake_failure, event.reason: draining, client.ip: 192.0.2.1}}
    expect: []
  - name: five are critical
    events:
      - {at: 0s..4s, count: 5, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
    expect: [{at: 2s}]
`, 9, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := coverage(t, c.tests)
			if hit, all := got.Points(); hit != c.hit || all != 9 {
				t.Errorf("%d of %d, want %d of 9", hit, all, c.hit)
			}
			if diff := cmp.Diff(c.gaps, got.Gaps()); diff != "" {
				t.Errorf("gaps differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNearestMiss(t *testing.T) {
	t.Parallel()
	got := coverage(t, `
  - name: two keys, one of which fires
    events:
      - {at: 0s..2s, count: 3, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
      - {at: 0s..1s, count: 2, set: {event.action: handshake_failure, client.ip: 192.0.2.2}}
    expect: [{at: 2s, key: {client.ip: 192.0.2.1}}]
`)
	if !got.Missed || got.Most != 2 {
		t.Errorf("missed %t with %d events, want 2", got.Missed, got.Most)
	}
	var b bytes.Buffer
	if err := (ruletest.Report{Coverage: []ruletest.Coverage{*got}}).WriteCoverage(&b, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"coverage r: 5 of 9 (55%), 1 test, 3 of 3 conditions not seen both true and false, near miss with 2 events\n",
		"    r.yaml:2: no alert has the severity critical\n", "coverage in all: 5 of 9 (55%), 0 of 1 rules whole\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
}
