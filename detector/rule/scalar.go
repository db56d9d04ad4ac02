package rule

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// The readers of single values. Each reports what does not fit and says then that there is no value.

// text reads a text that is not empty; numbers and the like are taken as they are written.
func (d *decoder) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		d.fail(n, "found %s, expected %s", describe(n), what)
		return "", false
	}
	return strings.TrimSpace(n.Value), true
}

// oneOf reads one of a few words.
func (d *decoder) oneOf(n *yaml.Node, allowed []string) (string, bool) {
	if n.Kind == yaml.ScalarNode && slices.Contains(allowed, n.Value) {
		return n.Value, true
	}
	hint := ""
	if n.Kind == yaml.ScalarNode {
		hint = didYouMean(n.Value, allowed)
	}
	d.fail(n, "found %s, expected one of %s%s", describe(n), strings.Join(allowed, ", "), hint)
	return "", false
}

func (d *decoder) duration(n *yaml.Node) (time.Duration, bool) {
	text, ok := d.text(n, durationHelp)
	if !ok {
		return 0, false
	}
	v, err := ParseDuration(text)
	if err != nil {
		d.fail(n, "%s", err)
	}
	return v, err == nil
}

// positive reads a duration above zero.
func (d *decoder) positive(n *yaml.Node) (time.Duration, bool) {
	v, ok := d.duration(n)
	if ok && v == 0 {
		d.fail(n, "found %q, expected more than 0", n.Value)
		return 0, false
	}
	return v, ok
}

// integer reads a whole number between least and most.
func (d *decoder) integer(n *yaml.Node, least, most int) (int, bool) {
	v, err := strconv.Atoi(strings.ReplaceAll(n.Value, "_", ""))
	if n.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		d.fail(n, "found %s, expected a whole number from %d to %d", describe(n), least, most)
		return 0, false
	}
	return v, true
}

func (d *decoder) comparison(n *yaml.Node) (Comparison, bool) {
	return d.comparisonOf(n, ParseComparison)
}

// condition reads KQL; each of its faults is reported where it stands inside the scalar.
func (d *decoder) condition(n *yaml.Node) (filter.Expr, string, bool) {
	text, ok := d.text(n, "a condition in KQL, as in \"event.action: connect\"")
	if !ok {
		return nil, "", false
	}
	x, err := kql.Parse(n.Value)
	if faults, ok := errors.AsType[kql.Errors](err); ok {
		for _, f := range faults {
			d.note(FindingError, placeIn(d.doc.lines, n, f.Offset), "KQL: %s", f.Message)
		}
		return nil, "", false
	}
	return x, text, true
}

// field reads the name of a field of the contract.
func (d *decoder) field(n *yaml.Node) (filter.Field, bool) {
	name, ok := d.text(n, "the name of a field")
	if !ok {
		return filter.Field{}, false
	}
	f, ok := event.FieldByName(name)
	if !ok {
		d.fail(n, "unknown field %q%s; allowed are the fields of an event and labels.*", name, nearestField(name))
		return filter.Field{}, false
	}
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, true
}

func nearestField(name string) string {
	if near := event.NearestField(name); near != "" {
		return "; the nearest is " + strconv.Quote(near)
	}
	return ""
}
