package sigma

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"imwatch/detector/kql"
	"imwatch/detector/rule"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// DefaultWindow is the window of a rule that tells of each single event.
const DefaultWindow = "1m"

// Options say how rules are imported. The zero Options are the defaults.
type Options struct {
	Map    Map
	Window string // of a detection that stands alone: an alert is resolved when there was no event for it; default 1m
	Strict bool   // warnings are errors
}

// File is one Sigma file.
type File struct {
	Name string // as findings call it
	Src  []byte
}

// Result is what became of the files.
type Result struct {
	YAML     []byte // the rules, one document each; every one passes the linter
	Rules    int
	Findings []rule.Finding // with places in the Sigma files, in order of file and place
}

type converter struct {
	reporter
	options Options
	docs    []*doc
	warned  map[[2]string]bool
}

// Import converts the Sigma rules of files. A rule with an error is left out, and the others are converted.
// Correlations may refer to rules in any of the files. The error is for output that cannot be made.
func Import(files []File, o Options) (Result, error) {
	if o.Window == "" {
		o.Window = DefaultWindow
	}
	c := &converter{reporter: reporter{strict: o.Strict}, options: o, warned: map[[2]string]bool{}}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		c.documents(f.Name, f.Src)
	}
	for _, d := range c.docs {
		if d.fields["detection"] != nil && !d.failed {
			c.detection(d)
		}
	}
	targets := map[*doc]*target{}
	for _, d := range c.docs {
		if d.fields["correlation"] != nil && !d.failed {
			targets[d] = c.correlation(d)
		}
	}
	var out Result
	err := c.write(targets, &out)
	out.Findings = c.sorted(names)
	return out, err
}

// write prints the rules in the order of their documents.
func (c *converter) write(targets map[*doc]*target, out *Result) error {
	ids := map[string]*doc{}
	for _, d := range c.docs {
		t := targets[d]
		if t == nil && d.where != nil && !d.used {
			t = &target{d: d, severity: c.severity(d, nil), where: d.where}
			t.typed("threshold", "count", "> 0", "window", c.options.Window)
		}
		if t == nil || d.failed {
			continue
		}
		if first := ids[d.id()]; first != nil {
			c.fail(d, d.node, "the id %q is given twice; the first is in %s:%d", d.id(), first.file, first.node.Line)
			continue
		}
		ids[d.id()] = d
		text, err := t.yaml()
		if err != nil {
			return err
		}
		if c.lint(d, text); d.failed {
			continue
		}
		if out.Rules++; out.Rules > 1 {
			out.YAML = append(out.YAML, "---\n"...)
		}
		out.YAML = append(out.YAML, text...)
	}
	return nil
}

// lint holds what came out to our own linter: what it says stands at the Sigma document.
func (c *converter) lint(d *doc, text []byte) {
	_, findings := rule.Parse(d.file, text)
	for _, f := range findings {
		lines := strings.Split(string(text), "\n")
		at := ""
		if f.Line > 0 && f.Line <= len(lines) {
			at = " at " + strings.TrimSpace(lines[f.Line-1])
		}
		c.note(f.Severity, d, d.node, 0, "the rule that it becomes: %s%s", f.Message, at)
	}
}

// severity gives ours for Sigma's level: that of the document, else the highest of the rules that it is built on.
func (c *converter) severity(d *doc, parts []*doc) string {
	levels := []string{"informational", "low", "medium", "high", "critical"}
	ours := []string{"info", "info", "warn", "high", "critical"}
	best := -1
	for _, one := range append([]*doc{d}, parts...) {
		if one.text("level") == "" {
			continue
		}
		i := slices.Index(levels, one.text("level"))
		if i < 0 {
			c.fail(one, one.fields["level"], "found the level %s, expected one of %s", describe(one.fields["level"]), strings.Join(levels, ", "))
			return ""
		}
		best = max(best, i)
		if one == d {
			break
		}
	}
	if best < 0 {
		c.warn(d, d.node, "the rule has no level; it becomes warn")
		return "warn"
	}
	return ours[best]
}

// logSource gives the condition that the mapping file has for the log source; nil for every event.
func (c *converter) logSource(d *doc) filter.Expr {
	n := d.fields["logsource"]
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var unknown []string
	var xs []filter.Expr
	c.each(d, n, func(k, v *yaml.Node) {
		if k.Value == "definition" {
			return
		}
		src, mapped := c.options.Map.LogSources[v.Value]
		if !mapped {
			unknown = append(unknown, k.Value+" "+v.Value)
			return
		}
		x, err := kql.Parse(src)
		if err != nil {
			c.fail(d, v, "the mapping file says of %s: %s", v.Value, err)
			return
		}
		if _, all := x.(filter.All); !all {
			xs = append(xs, x)
		}
	})
	if len(unknown) > 0 {
		c.warn(d, n, "the log source (%s) is not in the mapping file: the rule looks at every event; say which are meant, as in logsources: {webserver: 'event.dataset: im.http'}",
			strings.Join(unknown, ", "))
	}
	if len(xs) == 0 {
		return nil
	}
	return join(xs, true)
}

// String says what was imported, for people.
func (r *Result) String() string {
	counts := map[string]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	var texts []string
	for _, severity := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %ss", counts[severity], severity))
	}
	return strings.Join(append([]string{fmt.Sprintf("%d rules imported", r.Rules)}, texts...), ", ")
}
