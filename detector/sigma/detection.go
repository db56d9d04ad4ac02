package sigma

import (
	"maps"
	"slices"
	"strings"

	"imwatch/detector/yamlnode"
	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// detection converts the detection of a document into its where.
func (c *converter) detection(d *doc) {
	n := yamlnode.Resolve(d.fields["detection"])
	if n.Kind != yaml.MappingNode {
		c.fail(d, n, "found %s, expected a mapping of search identifiers and a condition", describe(n))
		return
	}
	searches := map[string]*yaml.Node{}
	var condition *yaml.Node
	c.each(d, n, func(k, v *yaml.Node) {
		switch k.Value {
		case "condition":
			condition = v
		case "timeframe":
			c.fail(d, k, "timeframe belongs to the obsolete aggregations in conditions; write a correlation with timespan")
		default:
			searches[k.Value] = v
		}
	})
	if condition == nil {
		c.fail(d, n, "key \"condition\" is missing; it joins the search identifiers %s", strings.Join(slices.Sorted(maps.Keys(searches)), ", "))
		return
	}
	converted := map[string]filter.Expr{}
	for _, name := range slices.Sorted(maps.Keys(searches)) {
		converted[name] = c.search(d, searches[name])
	}
	x := c.conditions(d, condition, searches, converted)
	if x == nil || d.failed {
		d.failed = true
		return
	}
	if source := c.logSource(d); source != nil {
		x = filter.And{source, x}
	}
	d.where = x
}

// conditions converts a condition, or a list of them, any of which will do.
func (c *converter) conditions(d *doc, n *yaml.Node, nodes map[string]*yaml.Node, searches map[string]filter.Expr) filter.Expr {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
		list = n.Content
	}
	used := map[string]bool{}
	var xs []filter.Expr
	for _, item := range list {
		if item = yamlnode.Resolve(item); item.Kind != yaml.ScalarNode || strings.TrimSpace(item.Value) == "" {
			c.fail(d, item, "found %s, expected a condition, as in selection and not filter", describe(item))
			return nil
		}
		x := c.condition(d, item, searches, used)
		if x == nil {
			return nil
		}
		xs = append(xs, x)
	}
	for name, at := range nodes {
		if !used[name] && !strings.HasPrefix(name, "_") {
			c.warn(d, at, "the condition does not use %s", name)
		}
	}
	return join(xs, false)
}

// search converts one search identifier: a mapping, of which all must hold, or a list, of which one must.
func (c *converter) search(d *doc, n *yaml.Node) filter.Expr {
	n = yamlnode.Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(d, n)
	case yaml.SequenceNode:
		var xs []filter.Expr
		for _, item := range n.Content {
			if x := c.search(d, item); x != nil {
				xs = append(xs, x)
			}
		}
		if len(n.Content) == 0 {
			c.fail(d, n, "found an empty list, expected values or mappings")
		}
		if len(xs) == 0 || len(xs) < len(n.Content) {
			return nil
		}
		return join(xs, false)
	}
	return c.keywords(d, n)
}

func (c *converter) mapping(d *doc, n *yaml.Node) filter.Expr {
	var xs []filter.Expr
	entries := 0
	c.each(d, n, func(k, v *yaml.Node) {
		entries++
		if x := c.item(d, k, v); x != nil {
			xs = append(xs, x)
		}
	})
	if entries == 0 {
		c.fail(d, n, "found an empty mapping, expected a field and its value")
	}
	if len(xs) == 0 || len(xs) < entries {
		return nil
	}
	return join(xs, true)
}

// item converts field|modifiers: values.
func (c *converter) item(d *doc, k, v *yaml.Node) filter.Expr {
	parts := strings.Split(k.Value, "|")
	m, ok := c.modifiersOf(d, k, parts[1:])
	if parts[0] == "" {
		return c.allKeywords(d, k, v, m)
	}
	f, known := c.field(d, k, parts[0])
	if !ok || !known {
		return nil
	}
	return c.values(d, f, m, v)
}

// allKeywords converts '|all': [words].
func (c *converter) allKeywords(d *doc, k, v *yaml.Node, m modifiers) filter.Expr {
	if !m.all || v.Kind != yaml.SequenceNode {
		c.fail(d, k, "found %q without a field, expected '|all' with a list of keywords", k.Value)
		return nil
	}
	var xs []filter.Expr
	for _, item := range v.Content {
		x := c.keywords(d, yamlnode.Resolve(item))
		if x == nil {
			return nil
		}
		xs = append(xs, x)
	}
	return join(xs, true)
}

// keywords converts a word without a field.
func (c *converter) keywords(d *doc, n *yaml.Node) filter.Expr {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		c.fail(d, n, "found %s, expected a keyword", describe(n))
		return nil
	}
	if c.options.Map.Keywords == "" {
		c.fail(d, n, "found the keyword %q without a field; an event is not searched as a whole: say in the mapping file which text field is meant, as in keywords: message", n.Value)
		return nil
	}
	words := filter.Tokenize(n.Value)
	if strings.ContainsAny(n.Value, "*?") || len(words) == 0 {
		c.fail(d, n, "found the keyword %q, expected whole words: text is searched by words", n.Value)
		return nil
	}
	f, _ := event.FieldByName(c.options.Map.Keywords)
	return filter.Words{Field: filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, Words: words, Phrase: true}
}
