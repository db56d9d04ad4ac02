package window

import (
	"unsafe"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

type ratioSpec struct {
	length   int64
	is       rule.Comparison
	minTotal float64
}

// counted marks an event that matches the condition whose share is taken.
const counted = 1

func newRatio(r *rule.Rule, k *Kind) {
	t := r.Detect.Ratio
	spec := &ratioSpec{length: int64(t.Window.Duration), is: t.Is, minTotal: t.MinTotal}
	where, of := filter.Compile(r.Where), filter.Compile(t.Of)
	k.New = func() Condition { return &ratio{spec: spec} }
	k.See = func(ev *event.Event) (Sight, bool) {
		if !where(ev) {
			return Sight{}, false
		}
		if of(ev) {
			return Sight{Bits: counted}, true
		}
		return Sight{}, true
	}
}

// ratio is the share that the events with counted have of the weight in (t − length, t].
type ratio struct {
	spec  *ratioSpec
	rows  rows
	total exactSum
	of    exactSum // what of total is counted
	minus int32    // how many weights are negative
	holds bool
}

func (c *ratio) Enter(o Observation) Look {
	c.leave(o.At)
	c.push(row{at: o.At, weight: o.Weight, flag: o.Bits&counted != 0})
	return c.look()
}

func (c *ratio) Advance(at int64) Look {
	c.leave(at)
	return c.look()
}

func (c *ratio) Next() int64 {
	if c.rows.len() == 0 || !c.holds && !c.mayBegin() {
		return Never
	}
	return Add(c.rows.get(0).at, c.spec.length)
}

// mayBegin says whether it can become true by events that leave.
func (c *ratio) mayBegin() bool {
	if c.minus > 0 {
		return true
	}
	rises := c.spec.is.Op == rule.Greater || c.spec.is.Op == rule.GreaterEqual
	return c.total.value() >= c.spec.minTotal && (!rises || c.of.value() > 0)
}

func (c *ratio) Since(at int64) int64 { return Add(at, 1-c.spec.length) }

func (c *ratio) Expiry() int64 {
	if c.rows.len() == 0 {
		return None
	}
	return Add(c.rows.get(c.rows.len()-1).at, c.spec.length)
}

// look divides sums that are exact: 1 of 20 is what "5%" is read as.
func (c *ratio) look() Look {
	total := c.total.value()
	if total <= 0 { // of nothing there is no share
		c.holds = false
		return Look{}
	}
	v := c.of.value() / total
	c.holds = total >= c.spec.minTotal && c.spec.is.Holds(v)
	return Look{v, c.holds}
}

func (c *ratio) push(r row) {
	c.rows.push(r)
	c.total.add(r.weight)
	if r.flag {
		c.of.add(r.weight)
	}
	if r.weight < 0 {
		c.minus++
	}
}

func (c *ratio) leave(at int64) {
	bound := Add(at, -c.spec.length)
	for c.rows.len() > 0 && c.rows.get(0).at <= bound {
		r := c.rows.get(0)
		c.rows.pop()
		c.total.sub(r.weight)
		if r.flag {
			c.of.sub(r.weight)
		}
		if r.weight < 0 {
			c.minus--
		}
	}
}

func (c *ratio) Encode(e *Encoder) {
	e.Bool(c.holds)
	c.rows.encode(e)
}

func (c *ratio) Decode(d *Decoder) {
	c.holds = d.Bool()
	decodeRows(d, c.push)
}

// Size gives the memory of the window.
func (c *ratio) Size() int64 {
	return int64(unsafe.Sizeof(*c)) + c.rows.size() + c.total.size() + c.of.size()
}
