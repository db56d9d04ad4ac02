package sigma

import (
	"bytes"
	"fmt"
	"strings"

	"imwatch/detector/kql"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// target is a rule of ours in the making.
type target struct {
	d        *doc
	severity string
	where    filter.Expr // nil: every event
	groupBy  []string
	kind     string
	keys     []string // of the type, with their values: count, "> 20", window, 1m
	steps    []step
}

type step struct {
	id    string
	where filter.Expr
}

func (t *target) typed(kind string, keys ...string) { t.kind, t.keys = kind, keys }

// yaml prints the rule.
func (t *target) yaml() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, v *yaml.Node) {
		root.Content = append(root.Content, plain(key), v)
	}
	add("id", plain(t.d.id()))
	add("title", plain(t.d.text("title")))
	add("severity", plain(t.severity))
	if status := t.status(); status != "" {
		add("status", plain(status))
	}
	if t.where != nil {
		add("where", quoted(kql.Format(t.where)))
	}
	if len(t.groupBy) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, name := range t.groupBy {
			list.Content = append(list.Content, plain(name))
		}
		add("group_by", list)
	}
	add("detect", mapping(t.kind, t.detect()))
	add("labels", t.labels())
	add("annotations", t.annotations())
	root.HeadComment = fmt.Sprintf("Imported from Sigma: %s, line %d of %s", t.d.text("title"), t.d.node.Line, t.d.file)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("writing the rule %s: %w", t.d.id(), err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing the rule %s: %w", t.d.id(), err)
	}
	return b.Bytes(), nil
}

// status: what Sigma calls experimental is evaluated but tells nobody, what it has given up is not evaluated.
func (t *target) status() string {
	switch t.d.text("status") {
	case "experimental":
		return "shadow"
	case "deprecated", "unsupported":
		return "disabled"
	}
	return ""
}

func (t *target) detect() *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(t.keys); i += 2 {
		v := plain(t.keys[i+1])
		if t.keys[i] == "count" || t.keys[i] == "is" {
			v = quoted(t.keys[i+1])
		}
		m.Content = append(m.Content, plain(t.keys[i]), v)
	}
	if len(t.steps) == 0 {
		m.Style = yaml.FlowStyle
		return m
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range t.steps {
		one := &yaml.Node{Kind: yaml.MappingNode}
		if s.id != "" {
			one.Content = append(one.Content, plain("id"), plain(s.id))
		}
		one.Content = append(one.Content, plain("where"), quoted(kql.Format(s.where)))
		list.Content = append(list.Content, one)
	}
	m.Content = append(m.Content, plain("steps"), list)
	return m
}

func (t *target) labels() *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	m.Content = append(m.Content, plain("source"), plain("sigma"))
	if tags := t.d.texts("tags"); len(tags) > 0 {
		m.Content = append(m.Content, plain("sigma_tags"), plain(strings.Join(tags, ",")))
	}
	return m
}

func (t *target) annotations() *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	parts := []string{"{{ .Title }}"}
	for _, name := range t.groupBy {
		parts = append(parts, fmt.Sprintf("%s {{ .Key %q }}", name, name))
	}
	m.Content = append(m.Content, plain("summary"), quoted(strings.Join(parts, ", ")+": {{ .Value }}, limit {{ .Limit }}"))
	for _, name := range []string{"description", "author", "falsepositives", "references"} {
		if text := strings.Join(t.d.texts(name), "; "); text != "" {
			m.Content = append(m.Content, plain(name), plain(strings.ReplaceAll(text, "{{", `{{ "{{" }}`)))
		}
	}
	return m
}

func plain(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func quoted(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.SingleQuotedStyle}
}

func mapping(key string, v *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{plain(key), v}}
}
