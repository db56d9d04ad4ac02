package ruletest_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/rule"
	"imwatch/detector/ruletest"
	"imwatch/rules"
)

func TestShippedRulesPassTheirTests(t *testing.T) {
	t.Parallel()
	all, findings := rule.LoadFS(rules.Files())
	if rule.HasErrors(findings) {
		t.Fatalf("the shipped rules have faults: %v", findings)
	}
	report := ruletest.Run(all)
	if len(report.Results) < len(all) {
		t.Errorf("%d tests for %d rules", len(report.Results), len(all))
	}
	for _, f := range report.Failed() {
		t.Errorf("%s:%d: %s: %s", f.File, f.Line, f.Name, strings.Join(f.Failures, "\n\t"))
	}
}

const head = `
id: r
title: a rule
severity: high
where: 'event.action: handshake_failure'
group_by: [client.ip]
detect: {threshold: {count: "> 20", window: 1m}}
severity_when: {critical: "> 45"}
annotations: {summary: '{{ .Key "client.ip" }}: {{ .Value }}'}
resolve: {after: 2m}
tests:
`

const burst = `
    events:
      - {at: 0s..57s, count: 20, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
      - {at: 30s, arrives: 31s, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
`

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		test string
		want []string // failures
	}{
		"the example of the contract": {
			burst + `
    restart_at: 40s
    expect: [{at: 57s, state: firing, key: {client.ip: 192.0.2.1}, value: 21}]`, nil,
		},
		"resolved is not compared unless listed": {
			burst + `
    until: 10m
    expect: [{at: 57s}]`, nil,
		},
		"resolved listed": {
			burst + `
    until: 10m
    expect: [{at: 57s, severity: high, summary: "192.0.2.1: 21"}, {at: 3m, state: resolved}]`, nil,
		},
		"the clock ends at the last event": {
			burst + `
    expect: [{at: 57s}, {at: 3m, state: resolved}]`,
			[]string{"line 17: expected resolved at 3m: it did not come"},
		},
		"a restart after the last event": {
			burst + `
    until: 10m
    restart_at: 5m
    expect: [{at: 57s}, {at: 3m, state: resolved}]`, nil,
		},
		"wrong value": {
			burst + `
    expect: [{at: 57s, value: 20, key: {client.ip: 192.0.2.1}}]`,
			[]string{
				`line 17: expected firing at 57s for client.ip=192.0.2.1 with value 20: it did not come`,
				`not expected: firing at 57s for client.ip=192.0.2.1 with value 21, severity high, summary "192.0.2.1: 21"`,
			},
		},
		"at is exact": {
			burst + `
    expect: [{at: 58s}]`,
			[]string{
				`line 17: expected firing at 58s: it did not come`,
				`not expected: firing at 57s for client.ip=192.0.2.1 with value 21, severity high, summary "192.0.2.1: 21"`,
			},
		},
		"unless within is given": {
			burst + `
    expect: [{at: 58s, within: 1s}]`, nil,
		},
		"a late event is told": {
			`
    events:
      - {at: 0s..57s, count: 20, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
      - {at: 30s, arrives: 40s, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
    expect: [{at: 57s}]`,
			[]string{
				"line 16: expected firing at 57s: it did not come",
				"1 events came more than the lateness of 2s too late and were not counted",
			},
		},
		"updated is compared when resolved is listed": {
			`
    events:
      - {at: 0s..41s, count: 42, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}
    until: 10m
    expect: [{at: 20s}, {at: 2m40s, within: 1m, state: resolved}]`,
			[]string{`not expected: updated at 41s for client.ip=192.0.2.1 with value 42, severity high, summary "192.0.2.1: 42"`},
		},
		"the same id counts once": {
			`
    events:
      - {at: 0s..57s, count: 25, set: {event.id: same, event.action: handshake_failure, client.ip: 192.0.2.1}}
    expect: []`, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, findings := rule.Parse("r.yaml", []byte(head+"  - name: "+name+c.test))
			if rule.HasErrors(findings) {
				t.Fatal(findings)
			}
			report := ruletest.Run(all)
			if len(report.Results) != 1 {
				t.Fatalf("%d results", len(report.Results))
			}
			if diff := cmp.Diff(c.want, report.Results[0].Failures); diff != "" {
				t.Errorf("failures differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJUnitCanBeRead(t *testing.T) {
	t.Parallel()
	report := ruletest.Report{Results: []ruletest.Result{
		{RuleID: "a", Name: "good <&>", File: "a.yaml", Line: 3},
		{RuleID: "a", Name: "bad", Failures: []string{"expected \x01 one", "and two"}},
		{RuleID: "b", Name: "good"},
	}}
	var b bytes.Buffer
	if err := report.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Text string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if read.Tests != 3 || read.Failures != 1 || len(read.Suites) != 2 || read.Suites[0].Cases[0].Name != "good <&>" ||
		read.Suites[0].Cases[1].Failure == nil || !strings.Contains(read.Suites[0].Cases[1].Failure.Text, "and two") {
		t.Errorf("read %+v from\n%s", read, b.String())
	}
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := "3 tests of 2 rules: 2 passed, 1 failed\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("found %q, expected it to end with %q", text.String(), want)
	}
}
