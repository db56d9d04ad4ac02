package app

import (
	"bytes"
	"testing"

	"imwatch/detector/backtest"
	"imwatch/detector/rule"
	"imwatch/rules"
	"imwatch/sim"
)

// TestShippedRulesFindTheTruth wants of every scenario: each trouble is told, and nothing else is.
func TestShippedRulesFindTheTruth(t *testing.T) {
	t.Parallel()
	all, findings := rule.LoadFS(rules.Files())
	if rule.HasErrors(findings) {
		t.Fatal(findings)
	}
	var told []*rule.Rule
	for _, r := range all {
		if r.Status == rule.StatusEnabled {
			told = append(told, r)
		}
	}
	for _, s := range sim.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var lines, labels, alerts bytes.Buffer
			if _, err := sim.Generate(t.Context(), s, 7, &lines, &labels, sim.GenerateOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := backtest.File(t.Context(), &lines, s.Name, backtest.Options{Rules: told, Out: &alerts}); err != nil {
				t.Fatal(err)
			}
			report, err := sim.Score(&alerts, &labels)
			if err != nil {
				t.Fatal(err)
			}
			if report.All.Precision != 1 || report.All.Recall != 1 {
				t.Errorf("precision %v, recall %v; missed %+v, wrong %+v", report.All.Precision, report.All.Recall, report.Missed, report.Wrong)
			}
		})
	}
}
