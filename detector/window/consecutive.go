package window

import (
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

type consecutiveSpec struct {
	count  int64
	maxGap int64
}

// resets marks an event that ends a row instead of adding to it.
const resets = 1

func newConsecutive(r *rule.Rule, k *Kind) {
	c := r.Detect.Consecutive
	spec := &consecutiveSpec{count: int64(c.Count), maxGap: int64(c.MaxGap)}
	k.New = func() Condition { return &consecutive{spec: spec} }
	k.Span = max(k.Span, spec.maxGap)
	if c.Reset == nil {
		return
	}
	where, reset := filter.Compile(r.Where), filter.Compile(c.Reset)
	k.Selects = filter.Or{r.Where, c.Reset}
	k.See = func(ev *event.Event) (Sight, bool) {
		if reset(ev) {
			return Sight{Bits: resets, Passive: true}, true
		}
		return Sight{}, where(ev)
	}
}

// consecutive is the length of the row of matching events that nothing has broken: no resetting event, no gap over
// maxGap.
type consecutive struct {
	spec  *consecutiveSpec
	row   int64
	first int64 // instants of the row's first and last event
	last  int64
}

func (c *consecutive) Enter(o Observation) Look {
	if c.row > 0 && o.At > Add(c.last, c.spec.maxGap) { // exactly maxGap does not break it
		c.row = 0
	}
	if o.Bits&resets != 0 {
		c.row = 0
		return c.look()
	}
	if c.row == 0 {
		c.first = o.At
	}
	c.row++
	c.last = o.At
	return c.look()
}

func (c *consecutive) Advance(at int64) Look {
	if c.row > 0 && at >= Add(c.last, c.spec.maxGap) { // what comes at this instant has come already
		c.row = 0
	}
	return c.look()
}

func (c *consecutive) Next() int64 {
	if c.row < c.spec.count {
		return Never // a row that does not hold ends without being looked at
	}
	return Add(c.last, c.spec.maxGap)
}

func (c *consecutive) Since(int64) int64 {
	if c.row == 0 {
		return Never
	}
	return c.first
}

func (c *consecutive) Expiry() int64 {
	if c.row == 0 {
		return None
	}
	return Add(Add(c.last, c.spec.maxGap), 1)
}

func (c *consecutive) look() Look { return Look{float64(c.row), c.row >= c.spec.count} }

func (c *consecutive) Encode(e *Encoder) {
	e.Int(c.row)
	e.Int(c.first)
	e.Int(c.last)
}

func (c *consecutive) Decode(d *Decoder) {
	c.row, c.first, c.last = d.Int(), d.Int(), d.Int()
	if c.row < 0 || c.first > c.last {
		d.Fail()
	}
}
