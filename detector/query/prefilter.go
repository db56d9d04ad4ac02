package query

import (
	"math"
	"time"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/filter"
)

// prefilter is a necessary condition for a rule to be true of a key, such as an aggregation can answer. A key that
// does not satisfy it need not be looked at.
type prefilter struct {
	parts []part
	any   bool  // one of the parts is enough; else all are needed
	reach int64 // how far back events matter to a key of which nothing is open
}

// part is one aggregation: over buckets of one length, of which no window covers more than two that are neighbours.
type part struct {
	where    filter.Expr
	signed   filter.Expr // weights below zero of these events can make it true in other ways; nil: none can
	length   time.Duration
	back     int64         // how far before the evaluated time its events matter
	value    *filter.Field // its distinct values are counted instead of events
	count    bool          // documents are counted instead of weights
	possible func(sum float64) bool
}

// newPrefilter gives the prefilter of a rule, nil where an aggregation cannot rule out keys: then all of the rule's
// events are fetched, once, and state is kept for every key.
func newPrefilter(r *rule.Rule, k window.Kind) *prefilter {
	for _, f := range r.GroupBy {
		if f.Type == event.Text || f.Type == event.GeoPoint || f.Type == event.Flattened {
			return nil // stores do not compare such values as a whole
		}
	}
	p := &prefilter{reach: k.Lookback}
	switch d := r.Detect; {
	case d.Threshold != nil:
		p.add(windowed(k.Selects, d.Threshold.Window.Duration, above(d.Threshold.Count)))
	case d.Ratio != nil:
		p.add(ratioPart(k.Selects, d.Ratio))
	case d.Metric != nil:
		p.add(metricPart(k.Selects, d.Metric))
	case d.Cardinality != nil:
		c := windowed(k.Selects, d.Cardinality.Window.Duration, above(estimated(d.Cardinality.Is)))
		c.value = &d.Cardinality.Field
		p.add(c)
	case d.Spike != nil:
		p.spike(k.Selects, d.Spike)
	case d.Consecutive != nil:
		p.consecutive(r.Where, d.Consecutive)
	case d.Sequence != nil:
		p.sequence(r.Where, d.Sequence)
	}
	if len(p.parts) == 0 {
		return nil
	}
	return p
}

func (p *prefilter) add(x part) {
	if x.possible != nil {
		p.parts = append(p.parts, x)
	}
}

// windowed is a part over the weights of the events of a sliding window.
func windowed(where filter.Expr, length time.Duration, possible func(float64) bool) part {
	return part{where: where, signed: where, length: length, back: int64(length), possible: possible}
}

// above says whether a count that is at most sum can satisfy a comparison; nil where every key can.
func above(c rule.Comparison) func(float64) bool {
	switch {
	case c.Op == rule.Greater && c.Limit >= 0:
		return func(sum float64) bool { return loose(sum) > c.Limit }
	case (c.Op == rule.GreaterEqual || c.Op == rule.Equal) && c.Limit > 0:
		return func(sum float64) bool { return loose(sum) >= c.Limit }
	}
	return nil
}

// estimated lowers a limit on what is estimated beyond ExactValues by six times the standard error: an estimate may be
// above what the store counts.
func estimated(c rule.Comparison) rule.Comparison {
	if c.Limit > window.ExactValues {
		c.Limit = max(window.ExactValues, 0.95*c.Limit)
	}
	return c
}

// counting is a part over the number of documents in a sliding window.
func counting(where filter.Expr, length time.Duration, least float64) part {
	x := windowed(where, length, atLeast(least))
	x.count, x.signed = true, nil
	return x
}

func atLeast(least float64) func(float64) bool {
	if least <= 0 {
		return nil
	}
	return func(sum float64) bool { return loose(sum) >= least }
}

// loose makes up for a store that adds fractions in another order.
func loose(sum float64) float64 { return sum + 1e-9*(1+math.Abs(sum)) }

// ratioPart: a share above p of at least m events needs p·m of those that are counted.
func ratioPart(where filter.Expr, t *rule.Ratio) part {
	least := max(t.MinTotal, 1e-300) // an empty window has no share
	if (t.Is.Op == rule.Greater || t.Is.Op == rule.GreaterEqual) && t.Is.Limit > 0 {
		return windowed(filter.And{where, t.Of}, t.Window.Duration, atLeast(t.Is.Limit*least))
	}
	return windowed(where, t.Window.Duration, atLeast(least))
}

// metricPart: no average, percentile, least or greatest lies above a limit unless one of the values does.
func metricPart(where filter.Expr, t *rule.Metric) part {
	limit := event.FloatValue(t.Is.Limit)
	beyond := filter.Range{Field: t.Field}
	switch {
	case t.Agg.Kind == rule.AggSum:
	case t.Is.Op == rule.Greater, t.Is.Op == rule.GreaterEqual:
		beyond.From, beyond.FromClosed = &limit, true
	case t.Is.Op == rule.Less, t.Is.Op == rule.LessEqual:
		beyond.To, beyond.ToClosed = &limit, true
	}
	x := counting(filter.And{where, filter.Exists{Field: t.Field}}, t.Window.Duration, 1)
	if beyond.From != nil || beyond.To != nil {
		x = counting(filter.And{where, beyond}, t.Window.Duration, 1)
	}
	if t.Agg.Kind == rule.AggAvg {
		x.signed = where // then an average may lie where none of the values does
	}
	return x
}

func (p *prefilter) spike(where filter.Expr, t *rule.Spike) {
	p.any = true
	up, down := t.Direction != rule.DirectionDown, t.Direction != rule.DirectionUp
	if up {
		x := windowed(where, t.Window.Duration, atLeast(t.MinCount))
		if x.possible == nil {
			return // every key can
		}
		p.add(x)
	}
	if down {
		share := float64(t.Window.Duration) / float64(t.Baseline.Duration)
		x := windowed(where, t.Baseline.Duration, atLeast(t.MinCount/share))
		x.back = int64(t.Window.Duration + t.Baseline.Duration)
		if x.possible == nil {
			p.parts = nil
			return
		}
		p.add(x)
	}
}

// consecutive: a row of N spans at most N−1 gaps.
func (p *prefilter) consecutive(where filter.Expr, t *rule.Consecutive) {
	length := max(time.Duration(t.Count-1)*t.MaxGap, t.MaxGap)
	if t.Count > 1 && length/time.Duration(t.Count-1) < t.MaxGap || length > maxLength {
		return // too long to be cut into buckets
	}
	p.add(counting(where, length, float64(t.Count)))
	p.reach = max(p.reach, int64(length))
}

// maxLength is the longest bucket that is worth asking for.
const maxLength = 30 * 24 * time.Hour

// sequence: each step that must happen does so often enough within the span of the chain.
func (p *prefilter) sequence(where filter.Expr, t *rule.Sequence) {
	for _, s := range t.Steps {
		if s.Not {
			continue
		}
		p.add(counting(filter.And{where, s.Where}, t.Within.Duration, float64(s.Times)))
	}
}
