package calendar

import (
	"fmt"
	"slices"
	"strings"

	"imwatch/detector/yamlnode"
	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

// mapping reads a mapping with fixed keys.
func (r *reader) mapping(n *yaml.Node, allowed []string, f func(key string, v *yaml.Node)) {
	r.entries(n, func(k, v *yaml.Node) {
		if !slices.Contains(allowed, k.Value) {
			r.fail(k, "unknown key %q%s; allowed are %s", k.Value, near(k.Value, allowed), strings.Join(allowed, ", "))
			return
		}
		f(k.Value, v)
	})
}

// entries calls f for each key of a mapping. It reports anything else and double keys.
func (r *reader) entries(n *yaml.Node, f func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "found %s, expected a mapping", describe(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := yamlnode.Resolve(n.Content[i]), yamlnode.Resolve(n.Content[i+1])
		switch {
		case k.Kind != yaml.ScalarNode:
			r.fail(k, "found %s as a key, expected a name", describe(k))
		case lines[k.Value] > 0:
			r.fail(k, "key %q is given twice; the first is in line %d", k.Value, lines[k.Value])
		default:
			lines[k.Value] = k.Line
			f(k, v)
		}
	}
}

func (r *reader) list(n *yaml.Node, what string, f func(n *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "found %s, expected a list of %s", describe(n), what)
		return
	}
	for _, item := range n.Content {
		f(yamlnode.Resolve(item))
	}
}

func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		r.fail(n, "found %s, expected %s", describe(n), what)
		return "", false
	}
	return strings.TrimSpace(n.Value), true
}

func describe(n *yaml.Node) string {
	if kind := yamlnode.Kind(n); kind != "" {
		return kind
	}
	return fmt.Sprintf("%.60q", n.Value)
}

func near(found string, known []string) string {
	if name := event.Nearest(strings.ToLower(found), known); name != "" {
		return fmt.Sprintf("; the nearest is %q", name)
	}
	return ""
}
