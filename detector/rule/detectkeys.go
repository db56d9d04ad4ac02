package rule

import (
	"math"
	"slices"
	"strings"

	"imwatch/detector/yamlnode"

	"go.yaml.in/yaml/v3"
)

// detectKeys gives the types: one key each.
func detectKeys() []key[Detect] {
	return []key[Detect]{
		typeKey(TypeThreshold, "the number of matching events in the window", thresholdKeys, func(d *Detect) *Threshold {
			d.Threshold = &Threshold{}
			return d.Threshold
		}),
		typeKey(TypeRatio, "the share of the window's events that also match another condition", ratioKeys, func(d *Detect) *Ratio {
			d.Ratio = &Ratio{MinTotal: 1}
			return d.Ratio
		}),
		typeKey(TypeMetric, "a number made of a field's values in the window: sum, average, least, greatest, percentile", metricKeys, func(d *Detect) *Metric {
			d.Metric = &Metric{MinCount: 1}
			return d.Metric
		}),
		typeKey(TypeCardinality, "the number of distinct values of a field in the window", cardinalityKeys, func(d *Detect) *Cardinality {
			d.Cardinality = &Cardinality{}
			return d.Cardinality
		}),
		typeKey(TypeSpike, "many more or fewer events than in the time before", spikeKeys, func(d *Detect) *Spike {
			d.Spike = &Spike{MinCount: 1, Direction: DirectionUp}
			return d.Spike
		}),
		typeKey(TypeAbsence, "an expected key without an event", absenceKeys, func(d *Detect) *Absence {
			d.Absence = &Absence{}
			return d.Absence
		}),
		typeKey(TypeNewTerm, "a value never seen for the key", newTermKeys, func(d *Detect) *NewTerm {
			d.NewTerm = &NewTerm{}
			return d.NewTerm
		}),
		typeKey(TypeConsecutive, "matching events in a row, with no resetting one between", consecutiveKeys, func(d *Detect) *Consecutive {
			d.Consecutive = &Consecutive{MaxGap: DefaultMaxGap}
			return d.Consecutive
		}),
		typeKey(TypeSequence, "events in order, or one that another does not follow", sequenceKeys, func(d *Detect) *Sequence {
			d.Sequence = &Sequence{}
			return d.Sequence
		}),
		typeKey(TypeTravel, "one key in two places, faster than anybody travels", travelKeys, func(d *Detect) *Travel {
			d.Travel = &Travel{MaxKmh: defaultMaxKmh, MinKm: defaultMinKm}
			return d.Travel
		}),
		typeKey(TypeAnomaly, "a value unlike those that the key had at such times", anomalyKeys, func(d *Detect) *Anomaly {
			d.Anomaly = &Anomaly{Score: defaultScore(), Direction: DirectionUp}
			return d.Anomaly
		}),
	}
}

// typeKey is the key of one type; begin sets the type's part with its defaults.
func typeKey[T any](name, doc string, keys func() []key[T], begin func(*Detect) *T) key[Detect] {
	return key[Detect]{name: name, doc: doc, schema: objectSchema(keys()), read: func(d *decoder, n *yaml.Node, into *Detect) {
		into.Type = name
		object(d, n, keys(), begin(into))
	}}
}

// maxRow bounds consecutive: above it stands a slip of the pen.
const maxRow = math.MaxInt32

func readDetect(d *decoder, n *yaml.Node, r *Rule) {
	before := len(d.findings)
	object(d, n, detectKeys(), &r.Detect)
	n = yamlnode.Resolve(n)
	if n.Kind != yaml.MappingNode {
		return
	}
	var given []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains(names(detectKeys()), n.Content[i].Value) {
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
	if c, ok := d.count(n, "a threshold"); ok {
		t.Count = c
	}
}

// count reads a comparison of a number that is 0 when nothing happens; what is its subject.
func (d *decoder) count(n *yaml.Node, what string) (Comparison, bool) {
	c, ok := d.comparison(n)
	if !ok {
		return c, false
	}
	switch {
	case c.Op == Less || c.Op == LessEqual:
		d.fail(n, "found %q; %s from above (< and <=) is refused, since nothing happens when events stop: expected one of > >= == !=, or the type absence", n.Value, what)
	case alwaysHolds(c):
		d.fail(n, "found %q, which always holds, expected a number above 0", n.Value)
	case neverHolds(c):
		d.fail(n, "found %q, which no window with an event in it satisfies, expected a number above 0", n.Value)
	default:
		return c, true
	}
	return c, false
}

// A count is a sum of weights: of no events 0, else above it.
func alwaysHolds(c Comparison) bool {
	return c.Op == Greater && c.Limit < 0 || c.Op == GreaterEqual && c.Limit <= 0 || c.Op == NotEqual && c.Limit < 0
}

func neverHolds(c Comparison) bool { return c.Op == Equal && c.Limit <= 0 }
