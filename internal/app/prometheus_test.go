package app

import (
	"io/fs"
	"os"
	"regexp"
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
	pages := metricPages(t)
	names := regexp.MustCompile(`\bim_[a-z_]+`)
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s: alert %q lacks something, or stands twice", g.Name, r.Alert)
			}
			seen[r.Alert] = true
			found := names.FindAllString(r.Expr, -1)
			if len(found) == 0 || strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
				t.Errorf("%s: found expression %q", r.Alert, r.Expr)
			}
			for _, name := range found {
				if name = strings.TrimSuffix(name, "_bucket"); !strings.Contains(pages, "`"+name) {
					t.Errorf("%s: no page has a metric %s", r.Alert, name)
				}
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d rules", len(seen))
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
