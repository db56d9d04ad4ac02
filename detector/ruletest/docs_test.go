package ruletest_test

import (
	"os"
	"regexp"
	"testing"

	"imwatch/detector/rule"
	"imwatch/detector/ruletest"
)

// The rules that the manual shows must do what it says of them.
func TestRulesOfTheManualPassTheirTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		rules, findings := rule.Parse("docs/rules.md", []byte(b[1]))
		if rule.HasErrors(findings) {
			t.Errorf("%s\n%v", b[1], findings)
			continue
		}
		report := ruletest.Run(rules)
		ran += len(report.Results)
		for _, r := range report.Failed() {
			t.Errorf("%s: test %q: %v", r.RuleID, r.Name, r.Failures)
		}
	}
	if ran < 5 {
		t.Errorf("found %d tests in the manual", ran)
	}
}
