package rule

import (
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// laterTypes are the types of the rule language that this version cannot evaluate.
func laterTypes() []string {
	return []string{"ratio", "metric", "cardinality", "spike", "absence", "new_term", "sequence", "travel", "anomaly"}
}

// detectKeys gives the types: one key each.
func detectKeys() []key[Detect] {
	keys := []key[Detect]{
		{name: TypeThreshold, doc: "the number of matching events in the window", schema: objectSchema(thresholdKeys()), read: func(d *decoder, n *yaml.Node, into *Detect) {
			into.Type, into.Threshold = TypeThreshold, &Threshold{}
			object(d, n, thresholdKeys(), into.Threshold)
		}},
		{name: TypeConsecutive, doc: "matching events in a row, with no resetting one between", schema: objectSchema(consecutiveKeys()), read: func(d *decoder, n *yaml.Node, into *Detect) {
			into.Type, into.Consecutive = TypeConsecutive, &Consecutive{MaxGap: DefaultMaxGap}
			object(d, n, consecutiveKeys(), into.Consecutive)
		}},
	}
	built := strings.Join(names(keys), ", ")
	for _, name := range laterTypes() {
		keys = append(keys, key[Detect]{name: name, later: true, read: func(d *decoder, n *yaml.Node, into *Detect) {
			into.Type = name
			d.fail(n, "detect type %q is not built into this version; built are %s", name, built)
		}})
	}
	return keys
}

func thresholdKeys() []key[Threshold] {
	return []key[Threshold]{
		{name: "count", required: true, doc: "comparison of the number of events, as in \"> 20\"; for < and <= use absence", schema: comparisonSchema(), read: readCount},
		{name: "window", required: true, doc: "length of the sliding window", schema: durationSchema(), read: func(d *decoder, n *yaml.Node, t *Threshold) {
			if v, ok := d.positive(n); ok {
				t.Window, t.WindowText = v, strings.TrimSpace(n.Value)
			}
		}},
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

// maxRow bounds consecutive: above it stands a slip of the pen.
const maxRow = math.MaxInt32

func readDetect(d *decoder, n *yaml.Node, r *Rule) {
	before := len(d.findings)
	object(d, n, detectKeys(), &r.Detect)
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return
	}
	var given []string
	known := append(names(detectKeys()), laterTypes()...)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains(known, n.Content[i].Value) {
			given = append(given, n.Content[i].Value)
		}
	}
	switch {
	case len(given) > 1:
		d.fail(n, "found the types %s, expected exactly one", joinQuoted(given))
	case len(given) == 0 && len(d.findings) == before:
		d.fail(n, "found no type, expected exactly one of %s", strings.Join(names(detectKeys()), ", "))
	}
}

func readCount(d *decoder, n *yaml.Node, t *Threshold) {
	c, ok := d.comparison(n)
	if !ok {
		return
	}
	switch {
	case c.Op == Less || c.Op == LessEqual:
		d.fail(n, "found %q; a threshold from above (< and <=) is refused, since nothing happens when events stop: expected one of > >= == !=, or the type absence", n.Value)
	case alwaysHolds(c):
		d.fail(n, "found %q, which always holds, expected a number above 0", n.Value)
	case neverHolds(c):
		d.fail(n, "found %q, which no window with an event in it satisfies, expected a number above 0", n.Value)
	default:
		t.Count = c
	}
}

// A count is a sum of weights: of no events 0, else above it.
func alwaysHolds(c Comparison) bool {
	return c.Op == Greater && c.Limit < 0 || c.Op == GreaterEqual && c.Limit <= 0 || c.Op == NotEqual && c.Limit < 0
}

func neverHolds(c Comparison) bool { return c.Op == Equal && c.Limit <= 0 }
