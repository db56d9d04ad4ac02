package rule

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The keys of the types that remember what came before.

func newTermKeys() []key[NewTerm] {
	return []key[NewTerm]{
		{name: "field", required: true, doc: "the field whose values are watched; its value is part of the alert's key", schema: textSchema(), read: func(d *decoder, n *yaml.Node, t *NewTerm) {
			if f, ok := d.keyField(n); ok {
				t.Field = f
			}
		}},
		{name: "history", required: true, doc: "how long a value is remembered after it was seen", schema: durationSchema(), read: span(func(t *NewTerm) *Length { return &t.History })},
		{name: "warmup", doc: "time after the key's first event in which no value is new; default none", schema: durationSchema(), read: duration(func(t *NewTerm) *time.Duration { return &t.Warmup })},
	}
}

func consecutiveKeys() []key[Consecutive] {
	return []key[Consecutive]{
		{name: "count", required: true, doc: "how many in a row", schema: integerSchema(1, maxRow), read: integer(1, maxRow, func(c *Consecutive) *int { return &c.Count })},
		{name: "reset", doc: "events that begin the counting anew, in KQL, tried on all events of the key; default none", schema: kqlSchema(), read: func(d *decoder, n *yaml.Node, c *Consecutive) {
			if x, source, ok := d.condition(n); ok {
				c.Reset, c.ResetText = x, source
			}
		}},
		{name: "max_gap", doc: "the longest time between two of a row; default 10m", schema: durationSchema(), read: func(d *decoder, n *yaml.Node, c *Consecutive) {
			if v, ok := d.positive(n); ok {
				c.MaxGap = v
			}
		}},
	}
}

// maxSteps bounds a sequence: nobody reads a longer one, and a step is a bit.
const maxSteps = 16

func sequenceKeys() []key[Sequence] {
	return []key[Sequence]{
		{name: "steps", required: true, doc: "what must happen, in order; the last may be one that must not", schema: listSchema(objectSchema(stepKeys())), read: func(d *decoder, n *yaml.Node, s *Sequence) {
			s.Steps = []Step{}
			d.list(n, "steps, as in [{where: 'event.action: connect'}, {where: 'event.action: resume', not: true}]", func(_ int, n *yaml.Node) {
				step := Step{Times: 1}
				object(d, n, stepKeys(), &step)
				s.Steps = append(s.Steps, step)
			})
		}},
		{name: "within", required: true, doc: "the time from the first event of the chain to its last, or to the decision that the last step did not happen", schema: durationSchema(), read: span(func(s *Sequence) *Length { return &s.Within })},
	}
}

func stepKeys() []key[Step] {
	return []key[Step]{
		{name: "id", doc: "name of the step", schema: schema{"type": "string", "pattern": labelForm.String()}, read: func(d *decoder, n *yaml.Node, s *Step) {
			if v, ok := d.text(n, "a name"); ok && !labelForm.MatchString(v) {
				d.fail(n, "found %q, expected at most 64 letters, digits, underscores and hyphens, beginning with a letter or underscore", v)
			} else if ok {
				s.ID = v
			}
		}},
		{name: "where", required: true, doc: "the events of the step, in KQL, among those of the rule's where", schema: kqlSchema(), read: func(d *decoder, n *yaml.Node, s *Step) {
			if x, source, ok := d.condition(n); ok {
				s.Where, s.WhereText = x, source
			}
		}},
		{name: "times", doc: "how many such events at least; default 1", schema: integerSchema(1, maxTimes), read: integer(1, maxTimes, func(s *Step) *int { return &s.Times })},
		{name: "not", doc: "true: such an event must not happen; default false", schema: schema{"type": "boolean"}, read: func(d *decoder, n *yaml.Node, s *Step) {
			if v, ok := d.truth(n); ok {
				s.Not = v
			}
		}},
	}
}

// maxTimes bounds what a chain of a sequence remembers.
const maxTimes = 1000

func travelKeys() []key[Travel] {
	return []key[Travel]{
		{name: "max_kmh", doc: "the fastest that anybody travels, in km/h; default 900", schema: schema{"type": "number", "minimum": 0}, read: positiveNumber(func(t *Travel) *float64 { return &t.MaxKmh })},
		{name: "min_km", doc: "distances below this are never told, in km; default 100", schema: schema{"type": "number", "minimum": 0}, read: func(d *decoder, n *yaml.Node, t *Travel) {
			if v, ok := d.number(n); ok {
				t.MinKm = v
			}
		}},
		{name: "ignore", doc: "events that are as if absent, in KQL; default none", schema: kqlSchema(), read: func(d *decoder, n *yaml.Node, t *Travel) {
			if x, source, ok := d.condition(n); ok {
				t.Ignore, t.IgnoreText = x, source
			}
		}},
	}
}

// Defaults of travel: the speed of an airliner, and farther than the error of most geo databases.
const (
	defaultMaxKmh = 900
	defaultMinKm  = 100
)

func anomalyKeys() []key[Anomaly] {
	return []key[Anomaly]{
		{name: "value", doc: "count, or {field: event.duration, agg: p95}; default count", schema: schema{"oneOf": []schema{enum("count"), objectSchema(valueKeys())}}, read: func(d *decoder, n *yaml.Node, a *Anomaly) {
			if n.Kind == yaml.MappingNode {
				object(d, n, valueKeys(), a)
			} else if n.Kind != yaml.ScalarNode || n.Value != "count" {
				d.fail(n, "found %s, expected count, or a mapping with the keys field and agg", describe(n))
			}
		}},
		{name: "bucket", required: true, doc: "the length of time whose value is looked at", schema: durationSchema(), read: span(func(a *Anomaly) *Length { return &a.Bucket })},
		{name: "season", doc: "after which time values are alike, as 1d or 1w, a whole number of buckets; default none", schema: durationSchema(), read: span(func(a *Anomaly) *Length { return &a.Season })},
		{name: "score", doc: "how many robust standard deviations from the usual, as in 4 or \"> 4\"; default 4", schema: schema{"oneOf": []schema{{"type": "number"}, comparisonSchema()}}, read: readScore},
		{name: "direction", doc: "up: more than usual; down: less; both; default up", schema: enum(directions()...), read: word(directions(), func(a *Anomaly) *string { return &a.Direction })},
	}
}

func valueKeys() []key[Anomaly] {
	return []key[Anomaly]{
		{name: "field", required: true, doc: "the field whose values are taken, a number", schema: textSchema(), read: func(d *decoder, n *yaml.Node, a *Anomaly) {
			if f, ok := d.numeric(n); ok {
				a.Field = f
			}
		}},
		{name: "agg", required: true, doc: "how they become one number: sum, avg, min, max, or a percentile as p95", schema: aggSchema(), read: func(d *decoder, n *yaml.Node, a *Anomaly) {
			if v, ok := d.agg(n); ok {
				a.Agg = v
			}
		}},
	}
}

// defaultScore is rarely passed by chance: about once in 30,000 buckets.
func defaultScore() Comparison { return Comparison{Op: GreaterEqual, Limit: 4} }

func readScore(d *decoder, n *yaml.Node, a *Anomaly) {
	source := *n
	if n.Kind == yaml.ScalarNode && strings.Trim(n.Value, "0123456789.") == "" {
		source.Value = fmt.Sprintf(">= %s", n.Value)
	}
	c, ok := d.comparison(&source)
	switch {
	case !ok:
	case c.Op != Greater && c.Op != GreaterEqual:
		d.fail(n, "found %q, expected a number, or > or >= and a number", n.Value)
	case c.Limit <= 0:
		d.fail(n, "found %q, expected a score above 0", n.Value)
	default:
		a.Score = c
	}
}
