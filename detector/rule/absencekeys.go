package rule

import (
	"fmt"
	"slices"
	"strings"

	"imwatch/detector/yamlnode"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

func absenceKeys() []key[Absence] {
	return []key[Absence]{
		windowKey("how long an expected key may be without an event", func(a *Absence) *Length { return &a.Window }),
		{name: "expect", doc: "the keys that are expected: a list, the path of a file of them, or {learn: 24h} for every key seen within that time; needed with group_by", schema: expectSchema(), read: readExpected},
	}
}

func expectSchema() schema {
	return schema{"oneOf": []schema{
		listSchema(schema{"type": []string{"string", "number", "boolean", "object"}}), textSchema(),
		objectSchema([]key[Expected]{learnKey(), fileKey()}),
	}}
}

func learnKey() key[Expected] {
	return key[Expected]{name: "learn", doc: "how long a key stays expected after it was seen", schema: durationSchema(), read: func(d *decoder, n *yaml.Node, x *Expected) {
		if v, ok := d.positive(n); ok {
			x.Learn = v
		}
	}}
}

func fileKey() key[Expected] {
	return key[Expected]{name: "file", doc: "a file with an expected key in each line, beside the rule", schema: textSchema(), read: func(d *decoder, n *yaml.Node, x *Expected) {
		if v, ok := d.text(n, "the path of a file"); ok {
			x.File = v
		}
	}}
}

func readExpected(d *decoder, n *yaml.Node, a *Absence) {
	switch n.Kind {
	case yaml.MappingNode:
		object(d, n, []key[Expected]{learnKey(), fileKey()}, &a.Expect)
	case yaml.ScalarNode:
		fileKey().read(d, n, &a.Expect)
	default:
		a.Expect.Keys = [][]string{} // they need group_by: see checkAbsence
		d.expected = n
	}
}

// checkAbsence reads the expected keys, which only the whole rule explains.
func (d *decoder) checkAbsence(r *Rule) {
	a := r.Detect.Absence
	if a == nil {
		return
	}
	x := &a.Expect
	n := d.nodes["detect.absence.expect"]
	switch {
	case len(r.GroupBy) == 0 && n == nil:
		x.Keys = [][]string{{}}
	case len(r.GroupBy) == 0:
		d.fail(n, "found expected keys, but the rule has no group_by: its one group is expected anyway; leave expect out")
	case n == nil:
		d.failAt("detect.absence", "key \"expect\" is missing: with group_by it says which keys are expected, as in [im-1, im-2] or {learn: 24h}")
	case d.expected != nil:
		d.list(d.expected, "keys", func(_ int, n *yaml.Node) {
			if key, ok := d.expectedKey(n, r.GroupBy); ok {
				x.Keys = append(x.Keys, key)
			}
		})
		if len(d.expected.Content) == 0 {
			d.fail(d.expected, "found no key, expected at least one")
		}
	case x.File != "" && x.Learn > 0:
		d.fail(n, "found file and learn, expected one of them")
	case x.File != "":
		d.expectFile(n, r, x)
	case x.Learn == 0:
		if !HasErrors(d.findings) {
			d.fail(n, "found neither file nor learn, expected one of them")
		}
	case x.Learn <= a.Window.Duration:
		d.fail(n, "learn %s is not above the window %s: no key would be expected long enough to be missed",
			FormatDuration(x.Learn), FormatDuration(a.Window.Duration))
	}
}

// expectedKey reads a key: one value where group_by has one field, else a mapping of all its fields.
func (d *decoder) expectedKey(n *yaml.Node, fields []filter.Field) ([]string, bool) {
	n = yamlnode.Resolve(n)
	if n.Kind != yaml.MappingNode {
		if len(fields) > 1 {
			d.fail(n, "found %s, expected a mapping of the fields of group_by: %s", describe(n), fieldNames(fields))
			return nil, false
		}
		v, ok := d.text(n, "a value of "+fields[0].Name)
		return []string{v}, ok
	}
	key, good := make([]string, len(fields)), make([]bool, len(fields))
	d.entries(n, func(k, v *yaml.Node) {
		f, ok := d.field(k)
		if !ok {
			return
		}
		i := slices.IndexFunc(fields, func(have filter.Field) bool { return have.Name == f.Name })
		if i < 0 {
			d.fail(k, "%s is not in group_by; allowed are %s", f.Name, fieldNames(fields))
			return
		}
		key[i], good[i] = d.text(yamlnode.Resolve(v), "a value of "+f.Name)
	})
	for i, f := range fields {
		if !good[i] && !HasErrors(d.findings) {
			d.fail(n, "%s is missing, expected all fields of group_by: %s", f.Name, fieldNames(fields))
		}
	}
	return key, !slices.Contains(good, false)
}

func fieldNames(fields []filter.Field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.Name
	}
	return strings.Join(list, ", ")
}

// expectFile reads expected keys from a file: one a line, a mapping in braces for several fields; # begins a comment.
func (d *decoder) expectFile(n *yaml.Node, r *Rule, x *Expected) {
	src, path, err := d.open(x.File)
	if path != "" {
		r.Files = append(r.Files, path)
	}
	if err != nil {
		d.fail(n, "the file %s of expected keys cannot be read: %s", x.File, reason(err))
		return
	}
	x.Keys = [][]string{}
	for i, line := range strings.Split(strings.TrimPrefix(string(src), "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, message := expectedLine(line, r.GroupBy)
		if message != "" {
			d.fail(n, "line %d of %s: %s", i+1, x.File, message)
			continue
		}
		x.Keys = append(x.Keys, key)
	}
	if len(x.Keys) == 0 && !HasErrors(d.findings) {
		d.fail(n, "found no key in %s, expected one a line", x.File)
	}
}

// expectedLine reads one line; message says what is wrong with it.
func expectedLine(line string, fields []filter.Field) (key []string, message string) {
	if len(fields) == 1 && line[0] != '{' {
		return []string{line}, ""
	}
	doc := document{lines: []string{line}}
	content, syntax := doc.parse()
	if syntax != nil {
		return nil, syntax.message
	}
	d := &decoder{doc: doc, nodes: map[string]*yaml.Node{}}
	key, ok := d.expectedKey(content, fields)
	if !ok || len(d.findings) > 0 {
		return nil, d.findings[0].Message
	}
	return key, ""
}

// String prints what is expected.
func (x Expected) String() string {
	switch {
	case x.Learn > 0:
		return "every key seen in the last " + FormatDuration(x.Learn)
	case x.File != "":
		return fmt.Sprintf("%d keys of %s", len(x.Keys), x.File)
	}
	return fmt.Sprintf("%d keys", len(x.Keys))
}
