package rule_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"imwatch/detector/kql"
	"imwatch/detector/rule"
)

// The rules that the manual shows must be rules.
func TestRulesOfTheManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 3 {
		t.Fatalf("found %d rules in the manual", len(blocks))
	}
	for _, b := range blocks {
		rules, findings := rule.Parse("docs/rules.md", []byte(b[1]))
		if len(rules) != 1 || len(findings) != 0 {
			t.Errorf("%s\n%v", b[1], findings)
		}
	}
}

// Every condition in the manual's first table is read, every one in its table of refusals is refused.
func TestConditionsOfTheManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/kql.md")
	if err != nil {
		t.Fatal(err)
	}
	head, refused, _ := strings.Cut(string(page), "## What is refused")
	head, _, _ = strings.Cut(head, "## By type")
	refused, _, _ = strings.Cut(refused, "## In YAML")
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	check := func(text string, least int, ok bool) {
		found := row.FindAllStringSubmatch(text, -1)
		if len(found) < least {
			t.Errorf("found %d conditions, want at least %d", len(found), least)
		}
		for _, m := range found {
			if _, err := kql.Parse(m[1]); (err == nil) != ok {
				t.Errorf("%s: read is %t, want %t: %v", m[1], err == nil, ok, err)
			}
		}
	}
	check(head, 14, true)
	check(refused, 6, false)
}
