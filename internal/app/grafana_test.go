package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type grafanaPanel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
}

// TestGrafanaDashboard: every metric and label that a panel names is one that our code registers, every stage has panels,
// and Grafana can lay them out.
func TestGrafanaDashboard(t *testing.T) {
	b, err := os.ReadFile("../../deploy/grafana/imwatch.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []grafanaPanel `json:"panels"`
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	all := catalog(t)
	seen, named := map[int]bool{}, map[string]int{}
	taken := map[[2]int]string{}
	var rules bytes.Buffer
	rules.WriteString("groups:\n  - name: panels\n    rules:\n")
	for _, p := range board.Panels {
		if p.ID == 0 || seen[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: without id, title or query, or the id stands twice", p.ID, p.Title)
		}
		seen[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%q lies over %q, or leaves the 24 columns", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for i, q := range p.Targets {
			for _, m := range expressionFaults(all, q.Expr, legendLabel.FindAllStringSubmatch(q.Legend, -1)) {
				t.Errorf("%q, %s: %s", p.Title, q.Expr, m)
			}
			for _, m := range ownMetric.FindAllString(q.Expr, -1) {
				named[strings.Join(strings.SplitN(m, "_", 3)[:2], "_")]++
			}
			fmt.Fprintf(&rules, "      - {record: 'p:%d:%d', expr: '%s'}\n", p.ID, i, strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(q.Expr))
		}
	}
	for _, stage := range []string{"im_server", "im_shipper", "im_index", "im_detector", "im_alerting", "im_bus", "im_store", "im_cluster"} {
		if named[stage] == 0 {
			t.Errorf("no panel shows anything of %s", stage)
		}
	}
	file := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(file, rules.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// promtool runs Prometheus' own tool where there is one (Debian's package prometheus).
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool := os.Getenv("IMWATCH_TEST_PROMTOOL")
	if tool == "" {
		var err error
		if tool, err = exec.LookPath("promtool"); err != nil {
			t.Log("passed over: there is no promtool here, and IMWATCH_TEST_PROMTOOL does not name one")
			return
		}
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

var (
	ownMetric   = regexp.MustCompile(`\bim_[a-z_]+`)
	selected    = regexp.MustCompile(`\b(im_[a-z_]+)(\{[^}]*\})?`)
	matcherName = regexp.MustCompile(`([a-z_]+) *(?:=~|!~|!=|=)`)
	grouping    = regexp.MustCompile(`\b(?:by|without|on|ignoring) *\(([^)]*)\)`)
	legendLabel = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}`)
)

// expressionFaults gives the metrics and labels of a PromQL expression that there are not. shown are labels that its result
// is shown with: they must be left by its groupings.
func expressionFaults(all map[string]map[string]bool, expr string, shown [][]string) (faults []string) {
	union := map[string]bool{"instance": true, "job": true, "le": true}
	for _, m := range selected.FindAllStringSubmatch(expr, -1) {
		name, labels, ok := m[1], map[string]bool(nil), false
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			if base, has := strings.CutSuffix(name, suffix); has && !ok {
				labels, ok = all[base]
			}
		}
		if !ok {
			faults = append(faults, "there is no metric "+name)
			continue
		}
		for l := range labels {
			union[l] = true
		}
		for _, l := range matcherName.FindAllStringSubmatch(m[2], -1) {
			if !labels[l[1]] && l[1] != "instance" && l[1] != "job" && l[1] != "le" {
				faults = append(faults, name+" has no label "+l[1])
			}
		}
	}
	kept := map[string]bool{}
	groups := grouping.FindAllStringSubmatch(expr, -1)
	for _, g := range groups {
		for l := range strings.SplitSeq(g[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !union[l] {
				faults = append(faults, "none of its metrics has the label "+l)
			}
			kept[l] = true
		}
	}
	for _, l := range shown {
		if !union[l[1]] || len(groups) > 0 && !kept[l[1]] {
			faults = append(faults, "its result has no label "+l[1])
		}
	}
	return faults
}
