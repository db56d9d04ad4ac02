package rule_test

import (
	"testing"
	"time"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"

	"github.com/google/go-cmp/cmp"
)

func parseOne(t *testing.T, src string) *rule.Rule {
	t.Helper()
	rules, findings := rule.Parse("test.yaml", []byte(src))
	if len(rules) != 1 || len(findings) != 0 {
		t.Fatalf("got %d rules, findings %v", len(rules), findings)
	}
	return rules[0]
}

const wholeRule = `# remark
id: handshake-failures-by-ip
title: Handshake failures from one address
severity: high
severity_when: {critical: "> 100"}
owner: im-oncall
status: shadow
mode: both
where: 'event.action: handshake_failure and url.path: "/ws/connect"'
group_by: [client_ip, labels.tenant]
detect:
  threshold: {count: ">20", window: 60s}
time: {lateness: 3s, idle: 1m}
for: 10s
resolve: {after: 2m}
limits: {keys: 1000}
labels: {team: im, tier: 1}
annotations:
  summary: '{{ .Key "client.ip" }}: {{ .Value }} failed handshakes in a minute'
  runbook: docs/runbooks/handshake-failures.md
evidence: {keep: 3, top: {event.reason: 5, user.id: 2}}
tests:
  - name: the 21st in a minute fires
    events:
      - {at: 0s..57s, count: 20, set: {event: {action: handshake_failure}, url.path: /ws/connect, client.ip: 192.0.2.1, event.category: [session, network], labels.tenant: 7}}
      - {at: 30s, arrives: 31s, set: {event.action: handshake_failure, im.sample.weight: 2, client.geo.location: {lat: 31.2, lon: 121.5}}}
    restart_at: 40s
    until: 10m
    expect:
      - {at: 57s, within: 1s, state: resolved, key: {labels.tenant: "7", client.ip: 192.0.2.1}, value: 21, severity: high, summary: x}
`

func TestParseWholeRule(t *testing.T) {
	r := parseOne(t, wholeRule)
	if r.ID != "handshake-failures-by-ip" || r.Title != "Handshake failures from one address" || r.Severity != "high" || r.Owner != "im-oncall" ||
		r.Status != rule.StatusShadow || r.Mode != rule.ModeBoth || r.File != "test.yaml" || r.Line != 2 {
		t.Errorf("head: %+v", r)
	}
	names := []string{r.GroupBy[0].Name, r.GroupBy[1].Name}
	if diff := cmp.Diff([]string{"client.ip", "labels.tenant"}, names); diff != "" || r.GroupBy[1].ID != event.NoField {
		t.Error(diff)
	}
	if d := r.Detect; d.Type != rule.TypeThreshold || d.Window() != time.Minute || d.WindowText() != "60s" || d.Limit() != ">20" || !d.Threshold.Count.Holds(21) {
		t.Errorf("detect: %+v", d)
	}
	if r.Time != (rule.Time{Lateness: 3 * time.Second, Idle: time.Minute}) || r.For != 10*time.Second || r.Resolve.After != 2*time.Minute || r.Limits.Keys != 1000 {
		t.Errorf("times: %+v", r)
	}
	if diff := cmp.Diff(map[string]string{"team": "im", "tier": "1"}, r.Labels); diff != "" {
		t.Error(diff)
	}
	if r.Evidence.Keep != 3 || len(r.Evidence.Top) != 2 || r.Evidence.Top[1].Field.Name != "user.id" || r.Evidence.Top[1].N != 2 {
		t.Errorf("evidence: %+v", r.Evidence)
	}
	if r.SeverityAt(100) != "high" || r.SeverityAt(101) != "critical" {
		t.Error("severity_when does not raise at 101")
	}
}

func TestParseWholeTest(t *testing.T) {
	r := parseOne(t, wholeRule)
	c := r.Tests[0]
	if c.Name != "the 21st in a minute fires" || *c.RestartAt != 40*time.Second || *c.Until != 10*time.Minute || c.Line != 23 {
		t.Errorf("test: %+v", c)
	}
	if c.Events[0].At.To != 57*time.Second || c.Events[0].Count != 20 || c.Events[0].Arrives != nil || c.Events[1].Arrives.From != 31*time.Second || c.Events[1].Count != 1 {
		t.Errorf("events: %+v", c.Events)
	}
	x := c.Expect[0]
	if x.At != 57*time.Second || x.Within != time.Second || x.State != event.StateResolved || *x.Value != 21 || x.Severity != "high" || x.Summary != "x" ||
		len(x.Key) != 2 || x.Key[0] != (event.KeyPart{Field: "labels.tenant", Value: "7"}) {
		t.Errorf("expect: %+v", x)
	}
	var e event.Event
	e.SetTime(event.FieldTimestamp, time.Unix(0, 0))
	c.Events[0].Fill(&e)
	want := `{"@timestamp":"1970-01-01T00:00:00.000Z","event":{"action":"handshake_failure","category":["session","network"]},"client":{"ip":"192.0.2.1"},"url":{"path":"/ws/connect"},"labels.tenant":"7"}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Error(diff)
	}
	if !filter.Compile(r.Where)(&e) {
		t.Error("where does not match the test's event")
	}
	e.Reset()
	c.Events[1].Fill(&e)
	if v, _ := e.Get(event.FieldClientGeoLocation); e.Weight() != 2 || v.Text != `{"lat":31.2,"lon":121.5}` {
		t.Errorf("second event: %s", e.AppendJSON(nil))
	}
}

func TestDefaults(t *testing.T) {
	r := parseOne(t, "id: x\ntitle: T\nseverity: warn\ndetect:\n  consecutive: {count: 5}\n")
	if r.Status != rule.StatusEnabled || r.Mode != rule.ModeStream || r.Time.Lateness != 2*time.Second || r.Time.Idle != 30*time.Second ||
		r.Limits.Keys != 200_000 || r.Evidence.Keep != 5 || r.For != 0 || r.Resolve.After != 0 || r.GroupBy != nil {
		t.Errorf("defaults: %+v", r)
	}
	if _, all := r.Where.(filter.All); !all || r.WhereText != "" {
		t.Errorf("where: %#v", r.Where)
	}
	c := r.Detect.Consecutive
	if c.Count != 5 || c.MaxGap != 10*time.Minute || c.Reset != nil || r.Detect.Limit() != "5" || r.Detect.Window() != 0 {
		t.Errorf("consecutive: %+v", c)
	}
}

func TestDisabledRulesAreLoadedAndChecked(t *testing.T) {
	r := parseOne(t, "id: x\ntitle: T\nseverity: warn\nstatus: disabled\ndetect: {consecutive: {count: 5}}\n")
	if r.Status != rule.StatusDisabled {
		t.Errorf("status %s", r.Status)
	}
	_, findings := rule.Parse("x.yaml", []byte("id: x\ntitle: T\nseverity: warn\nstatus: disabled\ndetect: {consecutive: {count: 0}}\n"))
	if !rule.HasErrors(findings) {
		t.Error("a disabled rule is not checked")
	}
}

// State may be kept over changes of what people read, and over no other.
func TestFingerprint(t *testing.T) {
	base := "id: x\ntitle: T\nseverity: warn\n"
	detect := "detect: {threshold: {count: \"> 20\", window: 1m}}\n"
	first := parseOne(t, base+detect).Fingerprint()
	for name, c := range map[string]struct {
		src  string
		same bool
	}{
		"written otherwise": {"severity: high\nid: x\ntitle: Other\nlabels: {a: b}\ndetect: {threshold: {count: '>20.0', window: 60s}}\n", true},
		"another count":     {base + "detect: {threshold: {count: \"> 21\", window: 1m}}\n", false},
		"another operator":  {base + "detect: {threshold: {count: \">= 20\", window: 1m}}\n", false},
		"another window":    {base + "detect: {threshold: {count: \"> 20\", window: 2m}}\n", false},
		"another type":      {base + "detect: {consecutive: {count: 20}}\n", false},
		"where":             {base + detect + "where: 'user.id: *'\n", false},
		"group_by":          {base + detect + "group_by: [user.id]\n", false},
		"lateness":          {base + detect + "time: {lateness: 3s}\n", false},
		"for":               {base + detect + "for: 3s\n", false},
		"resolve":           {base + detect + "resolve: {after: 3s}\n", false},
	} {
		if got := parseOne(t, c.src).Fingerprint(); (got == first) != c.same {
			t.Errorf("%s: same fingerprint is %t, want %t", name, got == first, c.same)
		}
	}
}
