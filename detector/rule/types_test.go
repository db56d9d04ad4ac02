package rule_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/rule"
)

// TestTypes reads one rule of each type and looks at what its alerts say of it.
func TestTypes(t *testing.T) {
	t.Parallel()
	for detect, want := range map[string][2]string{
		`threshold: {count: "> 20", window: 1m}`:                                                                                         {"> 20", "1m"},
		`ratio: {of: 'log.level: error', is: "> 5%", window: 5m, min_total: 100}`:                                                        {"> 5%", "5m"},
		`metric: {field: event.duration, agg: p95, is: "> 120ms", window: 5m}`:                                                           {"> 120ms", "5m"},
		`metric: {field: im.heartbeat.rtt_ms, agg: avg, is: "> 1s", window: 5m, min_count: 3}`:                                           {"> 1s", "5m"},
		`cardinality: {field: user.id, is: "> 50", window: 10m}`:                                                                         {"> 50", "10m"},
		`spike: {window: 5m, baseline: 1h, factor: 3, min_count: 10}`:                                                                    {">= 3", "5m"},
		`spike: {window: 5m, baseline: 1h, factor: 3, direction: both}`:                                                                  {">= 3 or <= 1/3", "5m"},
		`absence: {window: 1m, expect: [im-1, im-2]}`:                                                                                    {">= 60", "1m"},
		`absence: {window: 90s, expect: {learn: 24h}}`:                                                                                   {">= 90", "90s"},
		`new_term: {field: client.ip, history: 7d, warmup: 1d}`:                                                                          {"1", "7d"},
		`consecutive: {count: 5, reset: 'log.level: info'}`:                                                                              {"5", ""},
		`sequence: {within: 2m, steps: [{id: a, where: 'event.action: connect', times: 3}, {where: 'event.action: resume', not: true}]}`: {"<= 120", "2m"},
		`travel: {max_kmh: 1000, min_km: 300, ignore: 'client.as.number: 64500'}`:                                                        {"> 1000", ""},
		`anomaly: {bucket: 1m, season: 1d, score: 5, direction: both}`:                                                                   {">= 5", "1m"},
		`anomaly: {value: {field: event.duration, agg: p95}, bucket: 5m, score: "> 4"}`:                                                  {"> 4", "5m"},
	} {
		src := "id: x\ntitle: x\nseverity: warn\ngroup_by: [service.node.name]\ndetect:\n  " + detect + "\n"
		rules, findings := rule.Parse("x.yaml", []byte(src))
		if len(findings) > 0 || len(rules) != 1 {
			t.Errorf("%s: %v", detect, findings)
			continue
		}
		d := rules[0].Detect
		if diff := cmp.Diff(want, [2]string{d.Limit(), d.WindowText()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", detect, diff)
		}
	}
}

func TestTimesInTheUnitOfTheField(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]float64{"event.duration": 120e6, "im.heartbeat.rtt_ms": 120} {
		src := "id: x\ntitle: x\nseverity: warn\ndetect:\n  metric: {field: " + field + `, agg: p95, is: "> 120ms", window: 5m}` + "\n"
		rules, findings := rule.Parse("x.yaml", []byte(src))
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		if got := rules[0].Detect.Metric.Is.Limit; got != want {
			t.Errorf("%s: 120ms is %v, expected %v", field, got, want)
		}
	}
}
