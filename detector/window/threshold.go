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
}

// threshold is the sum of the weights of the events in (t − length, t].
type threshold struct {
	spec    *thresholdSpec
	at      []int64   // instants of the events inside, oldest first, from head on
	weights []float64 // beside at; nil while all are 1
	head    int
	whole   float64 // sum of the weights that are whole numbers: exact in any order
	parts   int     // how many are not whole
	minus   int     // how many are negative: such a one can make the condition true by leaving
	holds   bool
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
	if c.head == len(c.at) || !c.holds && !c.spec.everyLeave && c.minus == 0 {
		return Never
	}
	return Add(c.at[c.head], c.spec.length)
}

func (c *threshold) Since(at int64) int64 { return Add(at, 1-c.spec.length) }

func (c *threshold) Expiry() int64 {
	if c.head == len(c.at) {
		return None
	}
	return Add(c.at[len(c.at)-1], c.spec.length)
}

func (c *threshold) look() Look {
	v := c.sum()
	c.holds = c.spec.count.Holds(v)
	return Look{v, c.holds}
}

// sum adds what is not whole anew each time, oldest first: a running sum of fractions would depend on what was there
// before, and so on when the detector was started.
func (c *threshold) sum() float64 {
	if c.parts == 0 {
		return c.whole
	}
	total := 0.0
	for _, w := range c.weights[c.head:] {
		total += w
	}
	return total
}

func (c *threshold) push(at int64, weight float64) {
	if c.head > 0 && len(c.at) == cap(c.at) && c.head >= len(c.at)/2 {
		c.compact()
	}
	if weight != 1 && c.weights == nil {
		c.weights = make([]float64, len(c.at), cap(c.at)+1)
		for i := range c.weights {
			c.weights[i] = 1
		}
	}
	if c.at == nil {
		c.at = make([]int64, 0, 4) // most keys never have more
	}
	c.at = append(c.at, at)
	if c.weights != nil {
		c.weights = append(c.weights, weight)
	}
	c.add(weight, 1)
}

// add counts a weight in (by 1) or out (by -1).
func (c *threshold) add(weight, by float64) {
	if weight < 0 {
		c.minus += int(by)
	}
	if isWhole(weight) {
		c.whole += by * weight
	} else {
		c.parts += int(by)
	}
}

// isWhole says whether sums of such numbers are exact: below 2^31, so that 2^22 of them stay below 2^53.
func isWhole(w float64) bool { return w == math.Trunc(w) && math.Abs(w) < 1<<31 }

func (c *threshold) leave(at int64) {
	bound := Add(at, -c.spec.length)
	for c.head < len(c.at) && c.at[c.head] <= bound {
		w := 1.0
		if c.weights != nil {
			w = c.weights[c.head]
		}
		c.add(w, -1)
		c.head++
	}
	if c.head == len(c.at) {
		c.at, c.head, c.weights = c.at[:0], 0, nil
	}
}

func (c *threshold) compact() {
	n := copy(c.at, c.at[c.head:])
	c.at = c.at[:n]
	if c.weights != nil {
		copy(c.weights, c.weights[c.head:])
		c.weights = c.weights[:n]
	}
	c.head = 0
}

func (c *threshold) Encode(e *Encoder) {
	e.Bool(c.holds)
	e.Len(len(c.at) - c.head)
	last := int64(0)
	for _, at := range c.at[c.head:] {
		e.Int(at - last)
		last = at
	}
	e.Bool(c.weights != nil)
	if c.weights != nil {
		for _, w := range c.weights[c.head:] {
			e.Float(w)
		}
	}
}

func (c *threshold) Decode(d *Decoder) {
	c.holds = d.Bool()
	n, last := d.Len(1), int64(0)
	at := make([]int64, 0, n)
	for range n {
		last += d.Int()
		at = append(at, last)
	}
	weighted := d.Bool()
	for _, t := range at {
		w := 1.0
		if weighted {
			w = d.Float()
		}
		c.push(t, w)
	}
}
