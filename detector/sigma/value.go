package sigma

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"imwatch/detector/kql"
	"imwatch/detector/yamlnode"
	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// values makes the condition of a field on a value or a list of them; nil where something is wrong.
func (c *converter) values(d *doc, f filter.Field, m modifiers, n *yaml.Node) filter.Expr {
	if n.Kind == yaml.MappingNode {
		c.fail(d, n, "found a mapping, expected a value or a list of values")
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		if m.all {
			c.fail(d, n, "found one value for |all, expected a list")
			return nil
		}
		return negated(c.value(d, f, m, n), m)
	}
	if len(n.Content) == 0 {
		c.fail(d, n, "found an empty list, expected at least one value")
		return nil
	}
	var xs []filter.Expr
	for _, item := range n.Content {
		x := c.value(d, f, m, yamlnode.Resolve(item))
		if x == nil {
			return nil
		}
		xs = append(xs, x)
	}
	if m.all {
		return negated(filter.And(xs), m)
	}
	return negated(join(xs, false), m)
}

func negated(x filter.Expr, m modifiers) filter.Expr {
	if x != nil && m.not {
		return filter.Not{X: x}
	}
	return x
}

// join makes an and or an or, or the part itself where there is one.
func join(xs []filter.Expr, all bool) filter.Expr {
	switch {
	case len(xs) == 1:
		return xs[0]
	case all:
		return filter.And(xs)
	}
	return filter.Or(xs)
}

func (c *converter) value(d *doc, f filter.Field, m modifiers, n *yaml.Node) filter.Expr {
	switch {
	case n.Kind != yaml.ScalarNode:
		c.fail(d, n, "found %s, expected a value", describe(n))
		return nil
	case m.exists:
		return c.exists(d, f, n)
	case n.Tag == "!!null":
		if m.match() || m.cidr || m.op != "" {
			c.fail(d, n, "found null after a modifier, expected a value")
			return nil
		}
		return filter.Not{X: filter.Exists{Field: f}}
	case m.cidr:
		return c.cidr(d, f, n)
	case m.op != "":
		return c.parsed(d, n, fmt.Sprintf("%s %s %q", f.Name, m.op, n.Value))
	}
	parts, err := wildcards(n.Value)
	if err != nil {
		c.fail(d, n, "%s: %s", f.Name, err)
		return nil
	}
	parts = m.inside(parts)
	if len(parts) > 1 && strings.Join(parts, "") == "" {
		return filter.Exists{Field: f}
	}
	switch f.Type {
	case event.Keyword:
		return c.keyword(d, f, m, n, parts)
	case event.Text:
		c.fail(d, n, "%s is text, which is searched by words; Sigma compares the whole of it or any run of characters, which cannot be expressed: "+
			"take another field, or keywords in the mapping file", f.Name)
		return nil
	}
	if len(parts) > 1 {
		hint := ""
		if f.Type == event.IP {
			hint = "; for a network write |cidr, as in 192.0.2.0/24"
		}
		c.fail(d, n, "%s is of type %s, of which no part can be compared%s", f.Name, f.Type, hint)
		return nil
	}
	if f.Type == event.IP && strings.Contains(n.Value, "/") {
		c.fail(d, n, "%s: found %q, expected an address; for a network write %s|cidr", f.Name, n.Value, f.Name)
		return nil
	}
	return c.parsed(d, n, fmt.Sprintf("%s: %q", f.Name, parts[0]))
}

// parsed reads a condition that is written as KQL, whose messages say what is wrong with the value.
func (c *converter) parsed(d *doc, n *yaml.Node, src string) filter.Expr {
	x, err := kql.Parse(src)
	if faults, ok := errors.AsType[kql.Errors](err); ok {
		c.fail(d, n, "%s", faults[0].Message)
		return nil
	}
	return x
}

func (c *converter) exists(d *doc, f filter.Field, n *yaml.Node) filter.Expr {
	switch strings.ToLower(n.Value) {
	case "true", "yes":
		return filter.Exists{Field: f}
	case "false", "no":
		return filter.Not{X: filter.Exists{Field: f}}
	}
	c.fail(d, n, "found %s after |exists, expected true or false", describe(n))
	return nil
}

func (c *converter) cidr(d *doc, f filter.Field, n *yaml.Node) filter.Expr {
	prefix, err := netip.ParsePrefix(n.Value)
	switch {
	case f.Type != event.IP:
		c.fail(d, n, "%s is of type %s, expected a field that holds an address after |cidr", f.Name, f.Type)
	case err != nil:
		c.fail(d, n, "found %q, expected a network, as in 192.0.2.0/24", n.Value)
	default:
		return filter.CIDR{Field: f, Prefix: prefix.Masked().String()}
	}
	return nil
}

func (c *converter) keyword(d *doc, f filter.Field, m modifiers, n *yaml.Node, parts []string) filter.Expr {
	if !m.cased {
		parts = c.inCase(d, f, n, parts)
	}
	if len(parts) > 1 {
		return filter.Pattern{Field: f, Parts: parts}
	}
	if f.ID == event.FieldEventAction && !slices.ContainsFunc(event.Actions(), func(a event.Action) bool { return a.Code == parts[0] }) {
		c.warn(d, n, "there is no event.action %q%s", parts[0], nearestAction(parts[0]))
	}
	return filter.Equal{Field: f, Value: event.KeywordValue(parts[0])}
}

func nearestAction(name string) string {
	var known []string
	for _, a := range event.Actions() {
		known = append(known, a.Code)
	}
	if near := event.Nearest(name, known); near != "" {
		return fmt.Sprintf("; the nearest is %q", near)
	}
	return ""
}

// inCase writes a value in the case that the contract gives the field, where it gives one, and warns where not.
func (c *converter) inCase(d *doc, f filter.Field, n *yaml.Node, parts []string) []string {
	change := strings.ToLower
	switch f.ID {
	case event.FieldEventAction, event.FieldEventReason, event.FieldEventOutcome, event.FieldEventKind, event.FieldEventDataset,
		event.FieldEventCategory, event.FieldEventType, event.FieldLogLevel, event.FieldCloseReason, event.FieldHandshakeStage:
	case event.FieldHTTPMethod, event.FieldClientGeoCountry:
		change = strings.ToUpper
	default:
		text := strings.Join(parts, "")
		place := [2]string{d.file + d.id(), f.Name}
		if strings.ToLower(text) != strings.ToUpper(text) && !c.warned[place] {
			c.warned[place] = true
			c.warn(d, n, "Sigma compares without regard to case, %s is compared as written; |cased says that this is meant", f.Name)
		}
		return parts
	}
	changed := make([]string, len(parts))
	for i, p := range parts {
		changed[i] = change(p)
	}
	return changed
}
