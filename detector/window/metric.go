package window

import (
	"math"
	"unsafe"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

type metricSpec struct {
	length   int64
	agg      rule.AggKind
	p        fraction // of a percentile
	is       rule.Comparison
	minCount float64
}

func newMetric(r *rule.Rule, k *Kind) {
	t := r.Detect.Metric
	spec := &metricSpec{length: int64(t.Window.Duration), agg: t.Agg.Kind, is: t.Is, minCount: t.MinCount}
	if spec.agg == rule.AggPercentile {
		spec.p = percent(t.Agg.P)
	}
	where, field := filter.Compile(r.Where), t.Field
	k.New = func() Condition { return newMetricOf(spec) }
	k.See = func(ev *event.Event) (Sight, bool) {
		if !where(ev) {
			return Sight{}, false
		}
		extra := numbers(field, ev)
		return Sight{Passive: extra == nil, Extra: extra}, true // without a value it is only a reason to look
	}
}

// numbers gives an event's values of a field, nil where it has none.
func numbers(f filter.Field, ev *event.Event) *Extra {
	v, ok := f.Value(ev)
	if !ok {
		return nil
	}
	one := &struct {
		Extra
		room [1]float64
	}{}
	one.Numbers = one.room[:0]
	v.Each(func(v event.Value) bool {
		if n := v.Float() + 0; !math.IsNaN(n) && !math.IsInf(n, 0) { // + 0: there is one zero, not two
			one.Numbers = append(one.Numbers, n)
		}
		return true
	})
	if len(one.Numbers) == 0 {
		return nil
	}
	return &one.Extra
}

func newMetricOf(spec *metricSpec) *metric {
	c := &metric{spec: spec}
	switch spec.agg {
	case rule.AggPercentile:
		c.ranked = &ranked{}
	case rule.AggMin, rule.AggMax:
		c.best = &rows{}
	case rule.AggSum, rule.AggAvg:
	}
	return c
}

// metric is an aggregate of the values of the events in (t − length, t].
type metric struct {
	spec   *metricSpec
	rows   rows     // one a value; flag: a further value of the event before
	count  exactSum // of the weights of the events
	weight exactSum // of the weights of the values, for avg
	sum    exactSum // of weight × value, for sum and avg
	ranked *ranked  // for percentiles
	best   *rows    // for min and max: those that none after them beats
	minus  int32    // rows that count less than nothing: by leaving they add
	holds  bool
}

func (c *metric) Enter(o Observation) Look {
	c.leave(o.At)
	if o.Extra != nil {
		for i, v := range o.Extra.Numbers {
			c.push(row{at: o.At, weight: o.Weight, value: v, flag: i > 0})
		}
	}
	return c.look()
}

func (c *metric) Advance(at int64) Look {
	c.leave(at)
	return c.look()
}

func (c *metric) Next() int64 {
	if c.rows.len() == 0 || !c.holds && !c.mayBegin() {
		return Never
	}
	return Add(c.rows.get(0).at, c.spec.length)
}

// mayBegin says whether it can become true by events that leave.
func (c *metric) mayBegin() bool {
	if c.minus > 0 {
		return true
	}
	if c.count.value() < c.spec.minCount {
		return false
	}
	switch c.spec.is.Op {
	case rule.Greater, rule.GreaterEqual:
		return c.spec.agg != rule.AggMax && c.spec.agg != rule.AggSum // which can only fall
	case rule.Less, rule.LessEqual:
		return c.spec.agg != rule.AggMin // which can only rise
	case rule.Equal, rule.NotEqual:
	}
	return true
}

func (c *metric) Since(at int64) int64 { return Add(at, 1-c.spec.length) }

func (c *metric) Expiry() int64 {
	if c.rows.len() == 0 {
		return None
	}
	return Add(c.rows.get(c.rows.len()-1).at, c.spec.length)
}

func (c *metric) look() Look {
	v, ok := c.value()
	c.holds = ok && c.count.value() >= c.spec.minCount && c.spec.is.Holds(v)
	return Look{v, c.holds}
}

// value gives the aggregate; ok is false where there is none.
func (c *metric) value() (v float64, ok bool) {
	if c.rows.len() == 0 {
		return 0, false
	}
	switch c.spec.agg {
	case rule.AggSum:
		return c.sum.value(), true
	case rule.AggAvg:
		if w := c.weight.value(); w > 0 {
			return c.sum.value() / w, true
		}
		return 0, false
	case rule.AggMin, rule.AggMax:
		return c.best.get(0).value, true
	case rule.AggPercentile:
	}
	return c.ranked.percentile(c.spec.p)
}

func (c *metric) push(r row) {
	c.rows.push(r)
	c.change(r, 1)
	switch c.spec.agg {
	case rule.AggPercentile:
		c.ranked.add(r.value, r.weight)
	case rule.AggMin, rule.AggMax:
		for n := c.best.len(); n > 0 && !c.beats(c.best.get(n-1).value, r.value); n-- {
			c.best.drop()
		}
		c.best.push(row{at: r.at, weight: 1, value: r.value})
	case rule.AggSum, rule.AggAvg:
	}
}

func (c *metric) beats(a, b float64) bool {
	if c.spec.agg == rule.AggMin {
		return a < b
	}
	return a > b
}

func (c *metric) leave(at int64) {
	bound := Add(at, -c.spec.length)
	for c.rows.len() > 0 && c.rows.get(0).at <= bound {
		r := c.rows.get(0)
		c.rows.pop()
		c.change(r, -1)
		if c.ranked != nil {
			c.ranked.remove(r.value, r.weight)
		}
	}
	for c.best != nil && c.best.len() > 0 && c.best.get(0).at <= bound {
		c.best.pop()
	}
}

// change counts a row in (by 1) or out (by −1).
func (c *metric) change(r row, by int64) {
	if !r.flag {
		c.count.change(r.weight, by)
	}
	minus := r.weight < 0
	if c.spec.agg == rule.AggSum || c.spec.agg == rule.AggAvg {
		// Each product is rounded once; what no float can hold is the largest one.
		term := max(-math.MaxFloat64, min(math.MaxFloat64, float64(r.weight*r.value)))
		c.sum.change(term, by)
		minus = minus || term < 0
	}
	if c.spec.agg == rule.AggAvg {
		c.weight.change(r.weight, by)
	}
	if minus {
		c.minus += int32(by) //nolint:gosec // 1 or -1
	}
}

func (c *metric) Encode(e *Encoder) {
	e.Bool(c.holds)
	c.rows.encode(e)
}

func (c *metric) Decode(d *Decoder) {
	c.holds = d.Bool()
	decodeRows(d, c.push)
}

// Size gives the memory of the window.
func (c *metric) Size() int64 {
	n := int64(unsafe.Sizeof(*c)) + c.rows.size() + c.count.size() + c.weight.size() + c.sum.size()
	if c.ranked != nil {
		n += c.ranked.size()
	}
	if c.best != nil {
		n += int64(unsafe.Sizeof(*c.best)) + c.best.size()
	}
	return n
}
