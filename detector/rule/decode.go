package rule

import (
	"fmt"
	"slices"
	"strings"

	"imwatch/detector/yamlnode"
	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

// decoder reads one document into a rule, noting every fault with its place.
type decoder struct {
	file      string
	doc       document
	ruleID    string
	findings  []Finding
	nodes     map[string]*yaml.Node // what was read, by its path in the rule: time.lateness, group_by.0
	path      []string              // of the mapping that is being read
	expected  *yaml.Node            // the list of an absence rule, read when group_by is known
	folder    *neighbours           // nil: there are no files beside the rule
	calendars []string              // the files in which its calendar was looked for
	besides   []string              // other files that the rule was read from
}

func (d *decoder) note(severity string, p place, format string, args ...any) {
	line := min(p.line, len(d.doc.lines)) // YAML ends lines at a few rare characters where editors do not
	d.findings = append(d.findings, Finding{
		File: d.file, Line: line + d.doc.before, Column: p.column, Severity: severity, Message: fmt.Sprintf(format, args...),
	})
}

// fail reports an error at a node.
func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.note(FindingError, place{n.Line, n.Column}, format, args...)
}

// failAt reports an error at what was read under a path, warnAt a warning; nothing if there is no such place.
func (d *decoder) failAt(path, format string, args ...any) {
	d.noteAt(FindingError, path, format, args...)
}

func (d *decoder) warnAt(path, format string, args ...any) {
	d.noteAt(FindingWarning, path, format, args...)
}

func (d *decoder) noteAt(severity, path, format string, args ...any) {
	if n := d.nodes[path]; n != nil {
		d.note(severity, place{n.Line, n.Column}, format, args...)
	}
}

// within runs f with a name added to the path.
func (d *decoder) within(name string, n *yaml.Node, f func()) {
	d.path = append(d.path, name)
	d.nodes[strings.Join(d.path, ".")] = n
	f()
	d.path = d.path[:len(d.path)-1]
}

// key is one key of a mapping: how it is read, and what the JSON Schema says of it.
type key[T any] struct {
	name     string
	doc      string
	required bool
	schema   schema
	read     func(d *decoder, n *yaml.Node, into *T)
}

// object reads a mapping with fixed keys into a value. It reports unknown, double and missing keys.
func object[T any](d *decoder, n *yaml.Node, keys []key[T], into *T) {
	n = yamlnode.Resolve(n)
	if n.Kind != yaml.MappingNode {
		d.fail(n, "found %s, expected a mapping with the keys %s", describe(n), strings.Join(names(keys), ", "))
		return
	}
	seen := map[string]bool{}
	d.entries(n, func(k, v *yaml.Node) {
		i := slices.IndexFunc(keys, func(have key[T]) bool { return have.name == k.Value })
		if i < 0 {
			d.fail(k, "unknown key %q%s; allowed are %s", k.Value, didYouMean(k.Value, names(keys)), strings.Join(names(keys), ", "))
			return
		}
		seen[k.Value] = true
		d.within(k.Value, v, func() { keys[i].read(d, yamlnode.Resolve(v), into) })
	})
	for _, k := range keys {
		if k.required && !seen[k.name] {
			d.fail(n, "key %q is missing; required are %s", k.name, strings.Join(required(keys), ", "))
		}
	}
}

func names[T any](keys []key[T]) (list []string) {
	for _, k := range keys {
		list = append(list, k.name)
	}
	return list
}

func required[T any](keys []key[T]) (list []string) {
	for _, k := range keys {
		if k.required {
			list = append(list, k.name)
		}
	}
	return list
}

// entries calls f for each key of a mapping with free keys. It reports anything else and double keys.
func (d *decoder) entries(n *yaml.Node, f func(k, v *yaml.Node)) {
	n = yamlnode.Resolve(n)
	if n.Kind != yaml.MappingNode {
		d.fail(n, "found %s, expected a mapping", describe(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := yamlnode.Resolve(n.Content[i]), n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.fail(k, "found %s as a key, expected a name", describe(k))
		case lines[k.Value] > 0:
			d.fail(k, "key %q is given twice; the first is in line %d", k.Value, lines[k.Value]+d.doc.before)
		default:
			lines[k.Value] = k.Line
			f(k, v)
		}
	}
}

// list calls f for each element of a list.
func (d *decoder) list(n *yaml.Node, what string, f func(i int, n *yaml.Node)) {
	n = yamlnode.Resolve(n)
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "found %s, expected a list of %s", describe(n), what)
		return
	}
	for i, item := range n.Content {
		d.within(fmt.Sprint(i), item, func() { f(i, yamlnode.Resolve(item)) })
	}
}

// describe says what a node is, for messages.
func describe(n *yaml.Node) string {
	if kind := yamlnode.Kind(n); kind != "" {
		return kind
	}
	if len(n.Value) > 60 {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(n.Value[:60], ""))
	}
	return fmt.Sprintf("%q", n.Value)
}

// didYouMean names the nearest of the known names, if one is near.
func didYouMean(found string, known []string) string {
	near := event.Nearest(strings.ToLower(found), known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest is %q", near)
}
