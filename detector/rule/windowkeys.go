package rule

import (
	"strings"
	"time"

	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// The keys of the types that look at a sliding window.

func thresholdKeys() []key[Threshold] {
	return []key[Threshold]{
		{name: "count", required: true, doc: "comparison of the number of events, as in \"> 20\"; for < and <= use absence", schema: comparisonSchema(), read: readCount},
		windowKey("length of the sliding window", func(t *Threshold) *Length { return &t.Window }),
	}
}

func ratioKeys() []key[Ratio] {
	return []key[Ratio]{
		{name: "of", required: true, doc: "the events whose share is taken, in KQL", schema: kqlSchema(), read: func(d *decoder, n *yaml.Node, t *Ratio) {
			if x, source, ok := d.condition(n); ok {
				t.Of, t.OfText = x, source
			}
		}},
		{name: "is", required: true, doc: "comparison of the share, as in \"> 0.05\" or \"> 5%\"", schema: percentSchema(), read: func(d *decoder, n *yaml.Node, t *Ratio) {
			if c, ok := d.share(n); ok {
				t.Is = c
			}
		}},
		windowKey("length of the sliding window", func(t *Ratio) *Length { return &t.Window }),
		numberKey("min_total", "the least number of events in the window; with fewer it is not true; default 1", func(t *Ratio) *float64 { return &t.MinTotal }),
	}
}

func metricKeys() []key[Metric] {
	return []key[Metric]{
		{name: "field", required: true, doc: "the field whose values are taken, a number", schema: textSchema(), read: func(d *decoder, n *yaml.Node, t *Metric) {
			if f, ok := d.numeric(n); ok {
				t.Field = f
			}
		}},
		{name: "agg", required: true, doc: "how they become one number: sum, avg, min, max, or a percentile as p95", schema: aggSchema(), read: func(d *decoder, n *yaml.Node, t *Metric) {
			if a, ok := d.agg(n); ok {
				t.Agg = a
			}
		}},
		{name: "is", required: true, doc: "comparison of that number, as in \"> 100\"; on event.duration and *_ms fields also \"> 120ms\"", schema: quantitySchema(), read: func(d *decoder, n *yaml.Node, t *Metric) {
			if c, ok := d.comparisonOf(n, ParseQuantity); ok {
				t.Is = c
			}
		}},
		windowKey("length of the sliding window", func(t *Metric) *Length { return &t.Window }),
		numberKey("min_count", "the least number of events with a value in the window; with fewer it is not true; default 1", func(t *Metric) *float64 { return &t.MinCount }),
	}
}

func cardinalityKeys() []key[Cardinality] {
	return []key[Cardinality]{
		{name: "field", required: true, doc: "the field whose distinct values are counted", schema: textSchema(), read: func(d *decoder, n *yaml.Node, t *Cardinality) {
			if f, ok := d.keyField(n); ok {
				t.Field = f
			}
		}},
		{name: "is", required: true, doc: "comparison of their number, as in \"> 50\"; for < and <= use absence", schema: comparisonSchema(), read: func(d *decoder, n *yaml.Node, t *Cardinality) {
			if c, ok := d.count(n, "a cardinality"); ok {
				t.Is = c
			}
		}},
		windowKey("length of the sliding window", func(t *Cardinality) *Length { return &t.Window }),
	}
}

func spikeKeys() []key[Spike] {
	return []key[Spike]{
		windowKey("length of the sliding window", func(t *Spike) *Length { return &t.Window }),
		{name: "baseline", required: true, doc: "length of the time before the window that it is compared with", schema: durationSchema(), read: span(func(t *Spike) *Length { return &t.Baseline })},
		{name: "factor", required: true, doc: "how many times the usual number of events, above 1", schema: schema{"type": "number", "exclusiveMinimum": 1}, read: func(d *decoder, n *yaml.Node, t *Spike) {
			if v, ok := d.number(n); ok && v <= 1 {
				d.fail(n, "found %q, expected a factor above 1", n.Value)
			} else if ok {
				t.Factor = v
			}
		}},
		numberKey("min_count", "up: the least number of events now; down: the least usual number; default 1", func(t *Spike) *float64 { return &t.MinCount }),
		{name: "direction", doc: "up: more than usual; down: fewer; both; default up", schema: enum(directions()...), read: word(directions(), func(t *Spike) *string { return &t.Direction })},
	}
}

func directions() []string { return []string{DirectionUp, DirectionDown, DirectionBoth} }

// windowKey is the key that gives a window's length.
func windowKey[T any](doc string, at func(*T) *Length) key[T] {
	return key[T]{name: "window", required: true, doc: doc, schema: durationSchema(), read: span(at)}
}

// numberKey is a key for a number that is not negative.
func numberKey[T any](name, doc string, at func(*T) *float64) key[T] {
	return key[T]{name: name, doc: doc, schema: schema{"type": "number", "minimum": 0}, read: func(d *decoder, n *yaml.Node, t *T) {
		if v, ok := d.number(n); ok {
			*at(t) = v
		}
	}}
}

// span reads a duration above zero and keeps its letters.
func span[T any](at func(*T) *Length) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) {
		if v, ok := d.positive(n); ok {
			*at(into) = Length{v, strings.TrimSpace(n.Value)}
		}
	}
}

// numeric reads the name of a field that holds numbers.
func (d *decoder) numeric(n *yaml.Node) (filter.Field, bool) {
	f, ok := d.field(n)
	if ok && f.Type != event.Long && f.Type != event.Float {
		d.fail(n, "%s is of type %s, expected a field that holds a number", f.Name, f.Type)
		return f, false
	}
	return f, ok
}

// keyField reads the name of a field whose values can be told apart as a whole.
func (d *decoder) keyField(n *yaml.Node) (filter.Field, bool) {
	f, ok := d.field(n)
	if ok && (f.Type == event.GeoPoint || f.Type == event.Flattened || f.Type == event.Text) {
		d.fail(n, "%s is of type %s, whose values cannot be counted", f.Name, f.Type)
		return f, false
	}
	return f, ok
}

func (d *decoder) agg(n *yaml.Node) (Agg, bool) {
	text, ok := d.text(n, aggHelp)
	if !ok {
		return Agg{}, false
	}
	a, err := ParseAgg(text)
	if err != nil {
		d.fail(n, "%s", err)
	}
	return a, err == nil
}

// unitOf gives what one unit of a field is, 0 where its unit is no time.
func unitOf(f filter.Field) time.Duration {
	switch {
	case f.ID == event.FieldEventDuration:
		return time.Nanosecond
	case strings.HasSuffix(f.Name, "_ms"):
		return time.Millisecond
	}
	return 0
}
