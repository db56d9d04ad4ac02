package sigma

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"imwatch/detector/yamlnode"
	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// correlation is the correlation of a document, while it is read.
type correlation struct {
	d        *doc
	node     *yaml.Node
	keys     map[string]*yaml.Node
	kind     string
	rules    []*doc // that it refers to, in order
	timespan string
	groupBy  []string // our names
	limit    limit
}

// limit is a condition: an operator and a number, of a field.
type limit struct {
	op, number string
	field      *yaml.Node
	percentile string
}

func (l limit) String() string { return l.op + " " + l.number }

func correlationTypes() []string {
	return []string{"event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median", "temporal", "temporal_ordered"}
}

// correlation converts the correlation of a document into a rule.
func (c *converter) correlation(d *doc) *target {
	k := &correlation{d: d, node: yamlnode.Resolve(d.fields["correlation"]), keys: map[string]*yaml.Node{}}
	if k.node.Kind != yaml.MappingNode {
		c.fail(d, k.node, "found %s, expected a correlation: a mapping with type, rules, timespan and condition", describe(k.node))
		return nil
	}
	allowed := []string{"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}
	c.each(d, k.node, func(key, v *yaml.Node) {
		if !slices.Contains(allowed, key.Value) {
			hint := ""
			if near := event.Nearest(key.Value, allowed); near != "" {
				hint = fmt.Sprintf("; the nearest is %q", near)
			}
			c.fail(d, key, "unknown key %q%s; allowed are %s", key.Value, hint, strings.Join(allowed, ", "))
			return
		}
		k.keys[key.Value] = v
	})
	c.readType(k)
	c.references(k)
	c.readTimespan(k)
	c.readGroupBy(k)
	c.readLimit(k)
	if d.failed {
		return nil
	}
	return c.target(k)
}

func (c *converter) readType(k *correlation) {
	n := k.keys["type"]
	if n == nil {
		c.fail(k.d, k.node, "key \"type\" is missing; allowed are %s", strings.Join(correlationTypes(), ", "))
		return
	}
	if !slices.Contains(correlationTypes(), n.Value) {
		hint := ""
		if near := event.Nearest(n.Value, correlationTypes()); near != "" {
			hint = fmt.Sprintf("; the nearest is %q", near)
		}
		c.fail(k.d, n, "found the type %s%s; allowed are %s", describe(n), hint, strings.Join(correlationTypes(), ", "))
	}
	k.kind = n.Value
}

// references finds the rules that a correlation is about, by id or name.
func (c *converter) references(k *correlation) {
	n := k.keys["rules"]
	if n == nil || n.Kind != yaml.SequenceNode && n.Kind != yaml.ScalarNode || n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		c.fail(k.d, k.node, "key \"rules\" is missing or no list: it names the rules that are correlated, by name or id")
		return
	}
	list := n.Content
	if n.Kind == yaml.ScalarNode {
		list = []*yaml.Node{n}
	}
	for _, item := range list {
		item = yamlnode.Resolve(item)
		to, names := c.find(item.Value)
		switch {
		case to == nil:
			hint := ""
			if near := event.Nearest(item.Value, names); near != "" {
				hint = fmt.Sprintf("; the nearest is %q", near)
			}
			c.fail(k.d, item, "there is no rule with the name or id %q in the files given%s", item.Value, hint)
		case to.fields["correlation"] != nil:
			c.fail(k.d, item, "%q is a correlation itself; a rule looks at events, not at what other rules found: a step of a sequence can ask for several events by times, within the one timespan", item.Value)
		case to.failed:
			c.fail(k.d, item, "the rule %q cannot be imported, so neither can what is built on it", item.Value)
		default:
			k.rules = append(k.rules, to)
			to.used = to.used || !k.generates()
		}
	}
}

func (k *correlation) generates() bool {
	n := k.keys["generate"]
	return n != nil && strings.EqualFold(n.Value, "true")
}

func (c *converter) find(ref string) (found *doc, names []string) {
	for _, d := range c.docs {
		for _, name := range []string{d.text("name"), d.text("id")} {
			if name != "" && name == ref {
				return d, nil
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return nil, names
}

var timespanForm = regexp.MustCompile(`^[1-9][0-9]*[smhdw]$`)

func (c *converter) readTimespan(k *correlation) {
	n := k.keys["timespan"]
	switch {
	case n == nil:
		c.fail(k.d, k.node, "key \"timespan\" is missing, as in timespan: 5m")
	case strings.HasSuffix(n.Value, "M") || strings.HasSuffix(n.Value, "y"):
		c.fail(k.d, n, "found %s; months and years have no fixed length: expected a number and one of s, m, h, d, w", describe(n))
	case !timespanForm.MatchString(n.Value):
		c.fail(k.d, n, "found %s, expected a number and one of s, m, h, d, w, as in 5m", describe(n))
	default:
		k.timespan = n.Value
	}
}

// readGroupBy finds the fields of the key. An alias must be the same field for every rule: a key has one list of fields.
func (c *converter) readGroupBy(k *correlation) {
	aliases := k.keys["aliases"]
	if aliases != nil && aliases.Kind != yaml.MappingNode {
		c.fail(k.d, aliases, "found %s, expected a mapping of aliases", describe(aliases))
		return
	}
	n := k.keys["group-by"]
	if n == nil {
		return
	}
	list := n.Content
	if n.Kind == yaml.ScalarNode {
		list = []*yaml.Node{n}
	}
	for _, item := range list {
		item = yamlnode.Resolve(item)
		name, ok := item.Value, true
		if a := entry(aliases, item.Value); a != nil {
			name, ok = c.alias(k, item, a)
		}
		if !ok {
			continue
		}
		if f, known := c.field(k.d, item, name); known && !slices.Contains(k.groupBy, f.Name) {
			k.groupBy = append(k.groupBy, f.Name)
		}
	}
}

// alias gives the one field that an alias is for all rules.
func (c *converter) alias(k *correlation, item, a *yaml.Node) (string, bool) {
	found := map[string]string{} // our field → the rule that has it
	name := ""
	c.each(k.d, a, func(rule, field *yaml.Node) {
		if to, _ := c.find(rule.Value); to == nil || !slices.Contains(k.rules, to) {
			c.fail(k.d, rule, "the alias %s names the rule %q, which is not among rules", item.Value, rule.Value)
			return
		}
		if f, ok := c.field(k.d, field, field.Value); ok {
			found[f.Name], name = rule.Value, field.Value
		}
	})
	switch {
	case k.d.failed:
		return "", false
	case len(found) > 1:
		var texts []string
		for f, rule := range found {
			texts = append(texts, f+" in "+rule)
		}
		slices.Sort(texts)
		c.fail(k.d, item, "the alias %s is %s; the key of a rule is made of the same fields for all events, so this cannot be expressed", item.Value, strings.Join(texts, " and "))
		return "", false
	case len(found) == 0:
		c.fail(k.d, item, "the alias %s names no field", item.Value)
		return "", false
	}
	return name, true
}

func entry(n *yaml.Node, name string) *yaml.Node {
	if n == nil {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return yamlnode.Resolve(n.Content[i+1])
		}
	}
	return nil
}

func (c *converter) readLimit(k *correlation) {
	n := k.keys["condition"]
	temporal := strings.HasPrefix(k.kind, "temporal")
	switch {
	case n == nil && temporal:
		return
	case n == nil:
		c.fail(k.d, k.node, "key \"condition\" is missing, as in condition: {gte: 10}")
		return
	case temporal:
		c.fail(k.d, n, "a condition on %s cannot be expressed: all of its rules are steps that must happen; leave it out", k.kind)
		return
	case n.Kind != yaml.MappingNode:
		c.fail(k.d, n, "found %s, expected a mapping of one comparison, as in {gte: 10}", describe(n))
		return
	}
	ops := map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}
	c.each(k.d, n, func(key, v *yaml.Node) {
		op := ops[key.Value]
		switch {
		case key.Value == "field":
			k.limit.field = v
		case key.Value == "percentile":
			k.limit.percentile = v.Value
		case op == "":
			c.fail(k.d, key, "unknown key %q, expected one of gt, gte, lt, lte, eq, neq, and for values field", key.Value)
		case k.limit.op != "":
			c.fail(k.d, key, "found a second comparison; a rule compares with one number: write two rules, or leave one of them out")
		default:
			if _, err := strconv.ParseFloat(v.Value, 64); err != nil || v.Kind != yaml.ScalarNode {
				c.fail(k.d, v, "found %s, expected a number", describe(v))
				return
			}
			k.limit.op, k.limit.number = op, v.Value
		}
	})
	if k.limit.op == "" && !k.d.failed {
		c.fail(k.d, n, "found no comparison, expected one of gt, gte, lt, lte, eq, neq")
	}
}

// target makes the rule that a correlation becomes.
func (c *converter) target(k *correlation) *target {
	t := &target{d: k.d, groupBy: k.groupBy, severity: c.severity(k.d, k.rules)}
	var wheres []filter.Expr
	for _, r := range k.rules {
		wheres = append(wheres, r.where)
	}
	switch k.kind {
	case "event_count":
		t.where = join(wheres, false)
		t.typed("threshold", "count", k.limit.String(), "window", k.timespan)
		c.notFromAbove(k)
	case "value_count":
		t.where = join(wheres, false)
		t.typed("cardinality", "field", c.limitField(k), "is", k.limit.String(), "window", k.timespan)
		c.notFromAbove(k)
	case "value_sum", "value_avg", "value_percentile", "value_median":
		t.where = join(wheres, false)
		t.typed("metric", "field", c.limitField(k), "agg", c.agg(k), "is", k.limit.String(), "window", k.timespan)
	case "temporal":
		c.temporal(k, t, wheres)
	case "temporal_ordered":
		c.ordered(k, t, wheres)
	}
	if k.d.failed {
		return nil
	}
	return t
}

func (c *converter) notFromAbove(k *correlation) {
	if strings.HasPrefix(k.limit.op, "<") {
		c.fail(k.d, k.keys["condition"], "found %s %s; fewer events than a number cannot be counted when none comes: write an absence rule by hand", k.kind, k.limit)
	}
}

// limitField gives our field of which values are taken.
func (c *converter) limitField(k *correlation) string {
	n := k.limit.field
	if n == nil {
		c.fail(k.d, k.keys["condition"], "key \"field\" is missing in the condition: %s is about the values of a field", k.kind)
		return ""
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 1 {
		n = yamlnode.Resolve(n.Content[0])
	}
	if n.Kind != yaml.ScalarNode {
		c.fail(k.d, n, "found %s, expected one field: combinations of several cannot be counted", describe(n))
		return ""
	}
	f, _ := c.field(k.d, n, n.Value)
	return f.Name
}

func (c *converter) agg(k *correlation) string {
	switch k.kind {
	case "value_sum":
		return "sum"
	case "value_avg":
		return "avg"
	case "value_median":
		return "p50"
	}
	p := k.limit.percentile
	if v, err := strconv.ParseFloat(p, 64); err != nil || v <= 0 || v >= 100 {
		c.fail(k.d, k.keys["condition"], "found the percentile %q, expected a number above 0 and below 100, as in percentile: 95", p)
	}
	return "p" + p
}

// temporal is events in any order, which only one rule alone makes expressible.
func (c *converter) temporal(k *correlation, t *target, wheres []filter.Expr) {
	if len(wheres) > 1 {
		c.fail(k.d, k.keys["type"], "temporal asks for %d kinds of events in any order; the steps of a sequence are in order: write temporal_ordered, or one such correlation for each order", len(wheres))
		return
	}
	t.where = wheres[0]
	t.typed("threshold", "count", "> 0", "window", k.timespan)
}

func (c *converter) ordered(k *correlation, t *target, wheres []filter.Expr) {
	if len(wheres) < 2 {
		c.fail(k.d, k.keys["rules"], "temporal_ordered needs at least two rules, found %d", len(wheres))
		return
	}
	t.typed("sequence", "within", k.timespan)
	for i, x := range wheres {
		t.steps = append(t.steps, step{k.rules[i].stepID(), x})
	}
}

// stepID gives the name of the step that a rule becomes, "" where it has none that can be one.
func (d *doc) stepID() string {
	name := d.text("name")
	if stepForm.MatchString(name) {
		return name
	}
	return ""
}

var stepForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)
