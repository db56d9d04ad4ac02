package rule

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"imwatch/detector/yamlnode"
	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

// maxTestEvents bounds the events of one line of a test.
const maxTestEvents = 1_000_000

func testKeys() []key[Test] {
	return []key[Test]{
		{name: "name", required: true, doc: "what is shown", schema: textSchema(), read: text("a name", func(t *Test) *string { return &t.Name })},
		{name: "events", required: true, doc: "the events, in any order", schema: listSchema(objectSchema(eventKeys())), read: func(d *decoder, n *yaml.Node, t *Test) {
			t.Events = []TestEvent{}
			d.list(n, "events, as in [{at: 0s, set: {event.action: connect}}]", func(_ int, n *yaml.Node) {
				e := TestEvent{Count: 1, Line: n.Line + d.doc.before}
				object(d, n, eventKeys(), &e)
				if e.Count == 1 && e.At.From != e.At.To {
					d.fail(n, "found a range of instants for one event, expected a count of at least 2")
				}
				t.Events = append(t.Events, e)
			})
		}},
		{name: "restart_at", doc: "when the engine is checkpointed, thrown away and restored", schema: durationSchema(), read: func(d *decoder, n *yaml.Node, t *Test) {
			if v, ok := d.duration(n); ok {
				t.RestartAt = &v
			}
		}},
		{name: "until", doc: "where the clock runs on to after the last event", schema: durationSchema(), read: func(d *decoder, n *yaml.Node, t *Test) {
			if v, ok := d.duration(n); ok {
				t.Until = &v
			}
		}},
		{name: "expect", required: true, doc: "every firing; resolved and updated are compared when one of them is listed; [] for no alert", schema: listSchema(objectSchema(expectKeys())), read: func(d *decoder, n *yaml.Node, t *Test) {
			t.Expect = []Expect{}
			d.list(n, "expected alerts; [] for none", func(_ int, n *yaml.Node) {
				x := Expect{State: event.StateFiring, Line: n.Line + d.doc.before}
				object(d, n, expectKeys(), &x)
				t.Expect = append(t.Expect, x)
			})
		}},
	}
}

func eventKeys() []key[TestEvent] {
	return []key[TestEvent]{
		{name: "at", required: true, doc: "event time after the test's start, or a range over which count events are spread, both ends included: 0s..57s", schema: spanSchema(), read: func(d *decoder, n *yaml.Node, e *TestEvent) {
			if s, ok := d.span(n); ok {
				e.At = s
			}
		}},
		{name: "count", doc: "how many; default 1", schema: integerSchema(1, maxTestEvents), read: integer(1, maxTestEvents, func(e *TestEvent) *int { return &e.Count })},
		{name: "arrives", doc: "when they arrive; default at their event time", schema: spanSchema(), read: func(d *decoder, n *yaml.Node, e *TestEvent) {
			if s, ok := d.span(n); ok {
				e.Arrives = &s
			}
		}},
		{name: "set", doc: "fields and their values", schema: schema{"type": "object"}, read: func(d *decoder, n *yaml.Node, e *TestEvent) { d.assign(n, "", 0, e) }},
	}
}

func expectKeys() []key[Expect] {
	return []key[Expect]{
		{name: "at", required: true, doc: "event time of the state change after the test's start", schema: durationSchema(), read: duration(func(x *Expect) *time.Duration { return &x.At })},
		{name: "within", doc: "tolerance around at; default 0s: exact", schema: durationSchema(), read: duration(func(x *Expect) *time.Duration { return &x.Within })},
		{name: "state", doc: "default firing", schema: enum(states()...), read: word(states(), func(x *Expect) *string { return &x.State })},
		{name: "key", doc: "fields of group_by and their values", schema: schema{"type": "object", "additionalProperties": scalarSchema()}, read: readExpectKey},
		{name: "value", doc: "the number compared", schema: schema{"type": "number"}, read: func(d *decoder, n *yaml.Node, x *Expect) {
			v, err := strconv.ParseFloat(n.Value, 64)
			if n.Kind != yaml.ScalarNode || err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				d.fail(n, "found %s, expected a number", describe(n))
				return
			}
			x.Value = &v
		}},
		{name: "severity", doc: "of the alert", schema: enum(event.Severities()...), read: word(event.Severities(), func(x *Expect) *string { return &x.Severity })},
		{name: "summary", doc: "the rendered summary", schema: textSchema(), read: text("a text", func(x *Expect) *string { return &x.Summary })},
	}
}

func states() []string { return []string{event.StateFiring, event.StateUpdated, event.StateResolved} }

func readTests(d *decoder, n *yaml.Node, r *Rule) {
	d.list(n, "tests", func(_ int, n *yaml.Node) {
		t := Test{Line: n.Line + d.doc.before}
		object(d, n, testKeys(), &t)
		r.Tests = append(r.Tests, t)
	})
}

func readExpectKey(d *decoder, n *yaml.Node, x *Expect) {
	x.Key = []event.KeyPart{}
	d.entries(n, func(k, v *yaml.Node) {
		f, known := d.field(k)
		if v = yamlnode.Resolve(v); v.Kind != yaml.ScalarNode {
			d.fail(v, "found %s, expected a value as text", describe(v))
		} else if known {
			x.Key = append(x.Key, event.KeyPart{Field: f.Name, Value: v.Value})
		}
	})
}

// span reads an instant or a range of them.
func (d *decoder) span(n *yaml.Node) (Span, bool) {
	whole, ok := d.text(n, durationHelp+", or a range as in 0s..57s")
	if !ok {
		return Span{}, false
	}
	first, last, ranged := strings.Cut(whole, "..")
	from, err := ParseDuration(strings.TrimSpace(first))
	to := from
	if err == nil && ranged {
		to, err = ParseDuration(strings.TrimSpace(last))
	}
	if err == nil && to < from {
		err = fmt.Errorf("found %q, expected the earlier instant first", whole)
	}
	if err != nil {
		d.fail(n, "%s", err)
	}
	return Span{from, to}, err == nil
}

// maxNesting is more than the contract's names have steps; it also ends a mapping that holds itself.
const maxNesting = 8

// assign reads the fields of a test's event, dotted or nested.
func (d *decoder) assign(n *yaml.Node, prefix string, depth int, e *TestEvent) {
	if depth > maxNesting {
		d.fail(n, "nested deeper than %d mappings", maxNesting)
		return
	}
	d.entries(n, func(k, v *yaml.Node) {
		v = yamlnode.Resolve(v)
		name := prefix + k.Value
		f, ok := event.FieldByName(name)
		switch {
		case ok && f.ID == event.FieldTimestamp:
			d.fail(k, "@timestamp is set by at")
		case ok:
			d.assignField(f, v, e)
		case v.Kind == yaml.MappingNode:
			d.assign(v, name+".", depth+1, e)
		default:
			d.fail(k, "unknown field %q%s; allowed are the fields of an event and labels.*", name, nearestField(name))
		}
	})
}

func (d *decoder) assignField(f event.Field, n *yaml.Node, e *TestEvent) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode && f.Type != event.GeoPoint {
		items = n.Content
	}
	var values []event.Value
	for _, item := range items {
		v, ok := d.value(f, yamlnode.Resolve(item))
		if !ok {
			return
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return // an empty list is a missing field
	}
	v := values[0]
	if len(values) > 1 {
		v.List = values
	}
	e.Set = append(e.Set, Assignment{f, v})
}

// value reads one value of a field's type.
func (d *decoder) value(f event.Field, n *yaml.Node) (event.Value, bool) {
	if f.Type == event.GeoPoint {
		return d.point(f, n)
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || f.Type == event.Flattened {
		d.fail(n, "%s: found %s, expected a value of type %s; leave the field out where the event has none", f.Name, describe(n), f.Type)
		return event.Value{}, false
	}
	v, ok := event.Parse(f.Type, n.Value)
	if !ok {
		d.fail(n, "%s: found %s, expected a value of type %s", f.Name, describe(n), f.Type)
	}
	return v, ok
}

// point reads a place in each of the ways in which events have it.
func (d *decoder) point(f event.Field, n *yaml.Node) (event.Value, bool) {
	source := n.Value
	if n.Kind != yaml.ScalarNode {
		var place any = &map[string]float64{}
		if n.Kind == yaml.SequenceNode {
			place = &[]float64{}
		}
		if n.Decode(place) == nil {
			if b, err := json.Marshal(place); err == nil {
				source = string(b)
			}
		}
	}
	v, ok := event.Parse(f.Type, source)
	if ok {
		_, _, ok = v.Point()
	}
	if !ok {
		d.fail(n, "%s: found %s, expected {lat: …, lon: …}, \"lat,lon\" or [lon, lat]", f.Name, describe(n))
	}
	return v, ok
}
