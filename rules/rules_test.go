package rules_test

import (
	"os"
	"strings"
	"testing"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/rules"
)

// What is shipped must be what we ask of others: no finding, tests for both sides, a runbook that is there.
func TestShippedRules(t *testing.T) {
	all, findings := rule.LoadFS(rules.Files())
	for _, f := range findings {
		t.Error(f)
	}
	if len(all) < 34 {
		t.Errorf("found %d rules, want at least 34", len(all))
	}
	for _, r := range all {
		if r.File != r.ID+".yaml" {
			t.Errorf("%s stands in %s, want %s.yaml", r.ID, r.File, r.ID)
		}
		if r.Owner == "" || r.Labels["team"] == "" || r.Labels["notify"] == "" {
			t.Errorf("%s: owner and the labels team and notify are for routing", r.ID)
		}
		fires, silent := false, false
		for _, c := range r.Tests {
			fires = fires || len(c.Expect) > 0
			silent = silent || len(c.Expect) == 0
		}
		if !fires || !silent {
			t.Errorf("%s: needs a test that fires and one that does not", r.ID)
		}
		checkTexts(t, r)
	}
}

func checkTexts(t *testing.T, r *rule.Rule) {
	t.Helper()
	a := &event.Alert{RuleID: r.ID, State: event.StateFiring, Severity: r.Severity, Value: 21}
	for _, f := range r.KeyFields() {
		a.Key = append(a.Key, event.KeyPart{Field: f.Name, Value: "k"})
	}
	if err := r.Render(a); err != nil {
		t.Error(err)
	}
	if a.Annotations["summary"] == "" {
		t.Errorf("%s has no summary", r.ID)
	}
	page, err := os.ReadFile("../" + a.Annotations["runbook"])
	if err != nil {
		t.Errorf("%s: runbook: %v", r.ID, err)
		return
	}
	if want := "# " + r.Title + "\n"; !strings.HasPrefix(string(page), want) || !strings.Contains(string(page), "`"+r.ID+"`") {
		t.Errorf("%s: the runbook must begin with %q and name the rule", r.ID, want)
	}
}
