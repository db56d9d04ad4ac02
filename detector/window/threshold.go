package window

import (
	"math"

	"imwatch/detector/rule"
)

type thresholdSpec struct {
	length     int64
	count      rule.Comparison
	everyLeave bool // an event that leaves can make the condition true, so each is looked at
}

func newThreshold(t *rule.Threshold, k *Kind) {
	spec := &thresholdSpec{length: int64(t.Window.Duration), count: t.Count}
	spec.everyLeave = t.Count.Op != rule.Greater && t.Count.Op != rule.GreaterEqual
	k.New = func() Condition { return &threshold{spec: spec} }
	k.Sharing = shareCount(spec.length, t.Count)
}

// threshold is the sum of the weights of the events in (t − length, t]. There may be a million of them, so it is kept
// small for a key with few events of weight 1.
type threshold struct {
	spec     *thresholdSpec
	instants          // of the events inside
	weights  *weights // nil while all are 1
}

// weights stand beside the instants.
type weights struct {
	ring  []float64
	whole float64 // sum of those that are whole numbers: exact in any order
	parts int     // how many are not whole
	minus int     // how many are negative: such a one can make the condition true by leaving
}

func (c *threshold) Enter(o Observation) Look {
	c.leave(o.At)
	c.push(o.At, o.Weight)
	return c.look()
}

func (c *threshold) Advance(at int64) Look {
	c.leave(at)
	return c.look()
}

func (c *threshold) Next() int64 {
	if c.n == 0 || !c.spec.everyLeave && (c.weights == nil || c.weights.minus == 0) && !c.look().Holds {
		return Never
	}
	return Add(c.first(), c.spec.length)
}

func (c *threshold) Since(at int64) int64 { return Add(at, 1-c.spec.length) }

func (c *threshold) Expiry() int64 {
	if c.n == 0 {
		return None
	}
	return Add(c.last(), c.spec.length)
}

func (c *threshold) look() Look {
	v := c.sum()
	return Look{v, c.spec.count.Holds(v)}
}

// sum adds what is not whole anew each time, oldest first: a running sum of fractions would depend on what was there
// before, and so on when the detector was started.
func (c *threshold) sum() float64 {
	switch {
	case c.weights == nil:
		return float64(c.n)
	case c.weights.parts == 0:
		return c.weights.whole
	}
	total := 0.0
	for i := range int(c.n) {
		total += c.weights.ring[c.index(i)]
	}
	return total
}

func (c *threshold) push(at int64, weight float64) {
	if c.full() {
		c.resize(max(1, 2*len(c.ring)))
	}
	if weight != 1 && c.weights == nil {
		c.weights = &weights{ring: make([]float64, len(c.ring)), whole: float64(c.n)}
		for i := range c.weights.ring {
			c.weights.ring[i] = 1
		}
	}
	place := c.instants.push(at)
	if c.weights != nil {
		c.weights.ring[place] = weight
		c.weights.add(weight, 1)
	}
}

// resize lays the rings out anew.
func (c *threshold) resize(size int) {
	if c.weights != nil {
		c.weights.ring = unroll(&c.instants, c.weights.ring, size)
	}
	c.ring, c.head = unroll(&c.instants, c.ring, size), 0
}

func (c *threshold) leave(at int64) {
	bound := Add(at, -c.spec.length)
	if c.n == 0 || c.first() > bound {
		return
	}
	for c.n > 0 && c.first() <= bound {
		if c.weights != nil {
			c.weights.add(c.weights.ring[c.head], -1)
		}
		c.pop()
	}
	if c.n == 0 {
		c.weights = nil
	}
	if c.slack() {
		c.resize(len(c.ring) / 4)
	}
}

// add counts a weight in (by 1) or out (by -1).
func (w *weights) add(weight, by float64) {
	if weight < 0 {
		w.minus += int(by)
	}
	if isWhole(weight) {
		w.whole += by * weight
	} else {
		w.parts += int(by)
	}
}

// isWhole says whether sums of such numbers are exact: below 2^31, so that 2^22 of them stay below 2^53.
func isWhole(w float64) bool { return w == math.Trunc(w) && math.Abs(w) < 1<<31 }

func (c *threshold) Encode(e *Encoder) {
	e.Len(int(c.n))
	last := int64(0)
	for i := range int(c.n) {
		at := c.at(i)
		e.Int(at - last)
		last = at
	}
	e.Bool(c.weights != nil)
	if c.weights != nil {
		for i := range int(c.n) {
			e.Float(c.weights.ring[c.index(i)])
		}
	}
}

func (c *threshold) Decode(d *Decoder) {
	n, last := d.Len(1), int64(0)
	c.resize(n)
	for range n {
		last += d.Int()
		c.push(last, 1)
	}
	if !d.Bool() {
		return
	}
	c.weights = &weights{ring: make([]float64, n)}
	for i := range n {
		c.weights.ring[i] = d.Float()
		c.weights.add(c.weights.ring[i], 1)
	}
}
