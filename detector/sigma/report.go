package sigma

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"imwatch/detector/rule"
	"imwatch/detector/yamlnode"

	"go.yaml.in/yaml/v3"
)

// reporter gathers what is to be said about the documents of all files.
type reporter struct {
	strict   bool // warnings are errors
	findings []rule.Finding
}

func (r *reporter) note(severity string, d *doc, n *yaml.Node, offset int, format string, args ...any) {
	if severity == rule.FindingWarning && r.strict {
		severity = rule.FindingError
	}
	if severity == rule.FindingError {
		d.failed = true
	}
	r.findings = append(r.findings, rule.Finding{
		File: d.file, Line: n.Line, Column: columnIn(n, offset), Severity: severity, RuleID: d.label(), Message: fmt.Sprintf(format, args...),
	})
}

// fail reports what cannot be expressed or read, at a node.
func (r *reporter) fail(d *doc, n *yaml.Node, format string, args ...any) {
	r.note(rule.FindingError, d, n, 0, format, args...)
}

// failIn is fail at a byte offset of a text.
func (r *reporter) failIn(d *doc, n *yaml.Node, offset int, format string, args ...any) {
	r.note(rule.FindingError, d, n, offset, format, args...)
}

func (r *reporter) warn(d *doc, n *yaml.Node, format string, args ...any) {
	r.note(rule.FindingWarning, d, n, 0, format, args...)
}

// columnIn gives the column of a byte offset inside a text on one line, else that of its beginning.
func columnIn(n *yaml.Node, offset int) int {
	if offset <= 0 || offset > len(n.Value) || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Column
	}
	column := n.Column + utf8.RuneCountInString(n.Value[:offset])
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		column++
	}
	return column
}

// sorted gives the findings by file, in the order in which the files were given, and place.
func (r *reporter) sorted(files []string) []rule.Finding {
	slices.SortStableFunc(r.findings, func(a, b rule.Finding) int {
		return cmp.Or(slices.Index(files, a.File)-slices.Index(files, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return r.findings
}

// describe says what a node is, for messages.
func describe(n *yaml.Node) string {
	if kind := yamlnode.Kind(n); kind != "" {
		return kind
	}
	return fmt.Sprintf("%q", n.Value)
}
