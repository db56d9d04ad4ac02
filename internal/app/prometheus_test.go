package app

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The alert rules for Prometheus are well formed, and name only metrics that the pages say we have.
func TestPrometheusRules(t *testing.T) {
	b, err := os.ReadFile("../../deploy/prometheus/imwatch.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	pages, all := metricPages(t), catalog(t)
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s: alert %q lacks something, or stands twice", g.Name, r.Alert)
			}
			seen[r.Alert] = true
			found := ownMetric.FindAllString(r.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s: found expression %q", r.Alert, r.Expr)
			}
			for _, f := range expressionFaults(all, r.Expr, legendLabel.FindAllStringSubmatch(r.Annotations["summary"], -1)) {
				t.Errorf("%s: %s", r.Alert, f)
			}
			for _, name := range found {
				if name = strings.TrimSuffix(name, "_bucket"); !strings.Contains(pages, "`"+name) {
					t.Errorf("%s: no page has a metric %s", r.Alert, name)
				}
			}
			checkRunbook(t, r.Alert, r.Annotations["runbook"])
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d rules", len(seen))
	}
	tested(t, seen)
	promtool(t, "check", "rules", "../../deploy/prometheus/imwatch.rules.yaml")
	promtool(t, "test", "rules", "../../deploy/prometheus/imwatch.rules.test.yaml")
}

// checkRunbook demands that the page is there and has a heading of the alert's name.
func checkRunbook(t *testing.T, alert, runbook string) {
	t.Helper()
	page, anchor, _ := strings.Cut(runbook, "#")
	b, err := os.ReadFile("../../" + page)
	if err != nil || anchor != strings.ToLower(alert) || !strings.Contains(string(b), "\n## "+alert+"\n") {
		t.Errorf("%s: the runbook %q is not there, or has no heading of that name: %v", alert, runbook, err)
	}
}

// tested demands that each rule has a case in which promtool sees it fire, and one in which it does not.
func tested(t *testing.T, rules map[string]bool) {
	t.Helper()
	b, err := os.ReadFile("../../deploy/prometheus/imwatch.rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Cases []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if len(c.Fires) > 0 {
				fires[c.Alert] = true
			} else {
				quiet[c.Alert] = true
			}
		}
	}
	for name := range rules {
		if !fires[name] || !quiet[name] {
			t.Errorf("%s: tested firing: %v, tested quiet: %v", name, fires[name], quiet[name])
		}
	}
}

// metricPages gives all pages for users as one text.
func metricPages(t *testing.T) string {
	t.Helper()
	docs := os.DirFS("../../docs")
	pages, err := fs.Glob(docs, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, p := range pages {
		b, err := fs.ReadFile(docs, p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
