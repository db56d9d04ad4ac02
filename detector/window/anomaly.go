package window

import (
	"math"
	"unsafe"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// How many values a bucket is compared with. All of it is a promise of the manual.
const (
	anomalySeasons   = 5  // as far back as it looks, with a season
	anomalyBuckets   = 60 // without one
	anomalyLeast     = 5  // values that are needed to judge, with a season
	anomalyLeastFlat = 10 // without one
	anomalyNeighbour = 4  // buckets of a season from which on the neighbours of the same phase are taken too
)

type anomalySpec struct {
	length    int64 // of a bucket
	season    int64 // in buckets; 0: none
	memory    int64 // how many buckets before one decide how usual that is
	score     rule.Comparison
	direction string
	metric    *metricSpec // nil: the value is the count
}

func newAnomaly(r *rule.Rule, k *Kind) {
	t := r.Detect.Anomaly
	spec := &anomalySpec{
		length: int64(t.Bucket.Duration), score: t.Score, direction: t.Direction, memory: anomalyBuckets,
	}
	if t.Season.Duration > 0 {
		spec.season = int64(t.Season.Duration / t.Bucket.Duration)
		spec.memory = anomalySeasons*spec.season + 1
	}
	if t.Field.Name != "" {
		spec.metric = &metricSpec{agg: t.Agg.Kind}
		if t.Agg.Kind == rule.AggPercentile {
			spec.metric.p = percent(t.Agg.P)
		}
		where, field := filter.Compile(r.Where), t.Field
		k.See = func(ev *event.Event) (Sight, bool) {
			if !where(ev) {
				return Sight{}, false
			}
			extra := numbers(field, ev)
			return Sight{Extra: extra}, extra != nil
		}
	}
	k.New = func() Condition { return &anomaly{spec: spec, open: Never} }
	k.Lookback = spec.times(spec.memory + 2)
}

// times gives the length of n buckets, Never if that does not fit.
func (s *anomalySpec) times(n int64) int64 {
	if n > Never/s.length {
		return Never
	}
	return n * s.length
}

// bucket gives the number of the bucket that holds an instant, counted from 1970.
func (s *anomalySpec) bucket(at int64) int64 {
	n := at / s.length
	if at%s.length < 0 {
		n--
	}
	return n
}

// begins gives the first instant of a bucket.
func (s *anomalySpec) begins(n int64) int64 {
	switch {
	case n > Never/s.length:
		return Never
	case n < None/s.length:
		return None
	}
	return n * s.length
}

// anomaly is how unlike its history the bucket is that has ended last.
type anomaly struct {
	spec   *anomalySpec
	past   []pastBucket // that have ended and had an event, oldest first
	open   int64        // number of the bucket that events enter; Never before the first
	judged int64        // number of the last bucket judged
	filled bool         // the open bucket had an event
	count  bucketSum    // of the open bucket
	values *metric      // the same for a metric; nil while there are none
	score  float64      // of the last bucket judged
	holds  bool
}

// pastBucket is the value of a bucket.
type pastBucket struct {
	number int64
	value  float64
}

// Enter takes an event into its bucket. At the first instant of a bucket the one before is not judged yet: deadlines
// come last.
func (c *anomaly) Enter(o Observation) Look {
	n := c.spec.bucket(o.At)
	if c.open == Never {
		c.open, c.judged = n, n-1
	}
	if n > c.open {
		c.roll(Add(o.At, -1))
		c.end(n)
	}
	c.filled = true
	if c.spec.metric == nil {
		c.count.add(o.Weight)
		return Look{c.score, c.holds}
	}
	if c.values == nil {
		c.values = newMetricOf(c.spec.metric)
	}
	if o.Extra != nil {
		for i, v := range o.Extra.Numbers {
			c.values.push(row{at: o.At, weight: o.Weight, value: v, flag: i > 0})
		}
	}
	return Look{c.score, c.holds}
}

func (c *anomaly) Advance(at int64) Look {
	c.roll(at)
	return Look{c.score, c.holds}
}

// roll ends the buckets that end at or before an instant, and judges the last of them.
func (c *anomaly) roll(at int64) {
	last := c.spec.bucket(at) - 1
	if c.open == Never || last <= c.judged {
		return
	}
	c.end(last + 1)
	c.judged = last
	c.score, c.holds = c.judge(last)
}

// end begins the bucket n, if it comes after the open one, which is put to those past.
func (c *anomaly) end(n int64) {
	if n <= c.open {
		return
	}
	if c.filled {
		if v, ok := c.value(); ok {
			c.past = append(c.past, pastBucket{c.open, v})
		}
		c.filled, c.count, c.values = false, bucketSum{}, nil
	}
	c.open = n
	// The bucket before n may be still to be judged.
	old := 0
	for old < len(c.past) && c.past[old].number < n-1-c.spec.memory {
		old++
	}
	if old > len(c.past)/2 {
		c.past = c.past[:copy(c.past, c.past[old:])]
	}
	if len(c.past) == 0 {
		c.past = nil
	}
}

// value gives that of the open bucket; ok is false where it has none.
func (c *anomaly) value() (v float64, ok bool) {
	if c.spec.metric == nil {
		return c.count.value(), true
	}
	return c.values.value()
}

func (c *anomaly) Next() int64 {
	switch {
	case c.open == Never:
		return Never
	case c.judged < c.open-1:
		return c.spec.begins(c.open)
	case c.filled || c.holds || c.zeros() && c.remembers():
		return c.spec.begins(c.open + 1)
	}
	return Never
}

// zeros says whether a bucket without an event can be an anomaly.
func (c *anomaly) zeros() bool { return c.spec.metric == nil && c.spec.direction != rule.DirectionUp }

// remembers says whether something is known to which the open bucket could be compared.
func (c *anomaly) remembers() bool {
	n := len(c.past)
	return n > 0 && c.past[n-1].number >= c.open-c.spec.memory
}

// Since leaves the bucket that has ended last and the open one to be told of.
func (c *anomaly) Since(at int64) int64 { return c.spec.begins(c.spec.bucket(at) - 1) }

func (c *anomaly) Expiry() int64 {
	switch n := len(c.past); {
	case c.filled:
		return c.spec.begins(c.open + c.spec.memory + 1)
	case n > 0:
		return c.spec.begins(c.past[n-1].number + c.spec.memory + 1)
	}
	return None
}

// Size gives the memory of the history and of the open bucket.
func (c *anomaly) Size() int64 {
	n := int64(unsafe.Sizeof(*c)) + int64(cap(c.past))*int64(unsafe.Sizeof(pastBucket{})) + 8*int64(cap(c.count.parts))
	if c.values != nil {
		n += c.values.Size()
	}
	return n
}

func (c *anomaly) Encode(e *Encoder) {
	e.Bool(c.open != Never)
	if c.open == Never {
		return
	}
	e.Int(c.open)
	e.Int(c.judged)
	e.Float(c.score)
	e.Bool(c.holds)
	e.Bool(c.filled)
	e.Float(c.count.whole)
	e.Len(len(c.count.parts))
	for _, w := range c.count.parts {
		e.Float(w)
	}
	e.Bool(c.values != nil)
	if c.values != nil {
		c.values.Encode(e)
	}
	e.Len(len(c.past))
	for _, p := range c.past {
		e.Int(p.number)
		e.Float(p.value)
	}
}

func (c *anomaly) Decode(d *Decoder) {
	if !d.Bool() {
		return
	}
	c.open, c.judged, c.score, c.holds, c.filled = d.Int(), d.Int(), d.Float(), d.Bool(), d.Bool()
	c.count.whole = d.Float()
	for range d.Len(8) {
		c.count.parts = append(c.count.parts, d.Float())
	}
	if d.Bool() {
		if c.spec.metric == nil {
			d.Fail()
			return
		}
		c.values = newMetricOf(c.spec.metric)
		c.values.Decode(d)
	}
	last := None
	for range d.Len(9) {
		p := pastBucket{d.Int(), d.Float()}
		if p.number <= last || p.number >= c.open {
			d.Fail()
			return
		}
		last = p.number
		c.past = append(c.past, p)
	}
	if c.judged >= c.open || c.judged < c.open-2 || c.filled && c.spec.metric != nil && c.values == nil {
		d.Fail()
	}
}

// bucketSum is a sum of weights to which is only added: those that are whole in one number, the others one by one.
type bucketSum struct {
	whole float64
	parts []float64
}

func (s *bucketSum) add(w float64) {
	if w == math.Trunc(w) && math.Abs(w) <= maxWhole {
		s.whole += w
	} else {
		s.parts = append(s.parts, w)
	}
}

// value gives the sum, rounded once.
func (s *bucketSum) value() float64 {
	if len(s.parts) == 0 {
		return s.whole
	}
	var sum exactSum
	sum.whole = int64(s.whole)
	for _, w := range s.parts {
		sum.add(w)
	}
	return sum.value()
}
