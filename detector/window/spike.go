package window

import (
	"unsafe"

	"imwatch/detector/rule"
)

type spikeSpec struct {
	window, whole int64   // whole: window and baseline
	parts, of     float64 // usual = count of the baseline × parts ÷ of, in lowest terms
	factor        float64
	minCount      float64
	up, down      bool
	memory        int64 // after this long without any event a key is as new
}

// spikeMemory is after how many times window and baseline without any event a key is as new: without an end, every key
// that was ever seen would have to be remembered for when its first event was.
const spikeMemory = 10

func newSpike(t *rule.Spike, k *Kind) {
	window, baseline := int64(t.Window.Duration), int64(t.Baseline.Duration)
	whole := Add(window, baseline)
	g := gcd(window, baseline)
	spec := &spikeSpec{
		window: window, whole: whole, parts: float64(window / g), of: float64(baseline / g), factor: t.Factor, minCount: t.MinCount,
		up: t.Direction != rule.DirectionDown, down: t.Direction != rule.DirectionUp, memory: times(whole, spikeMemory),
	}
	k.New = func() Condition { return &spike{spec: spec, left: None} }
	k.Span = whole
	// Whether something had happened before the baseline is known from the event before it, which lies at most memory
	// before the first event since.
	k.Lookback = Add(whole, spec.memory)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// times gives d × n, Never where that does not fit.
func times(d, n int64) int64 {
	if d > Never/n {
		return Never
	}
	return d * n
}

// spike compares the events in (t − window, t] with those in (t − whole, t − window], scaled to one window.
//
// The baseline must lie wholly after the key's first event: the first event must have been at or before t − whole, the
// open end of the baseline. That is so as soon as some event has left the baseline, so the first need not be
// remembered, only the last that left: what is known depends on nothing older than Kind.Lookback.
type spike struct {
	spec  *spikeSpec
	rows  rows
	old   int // how many of them are in the baseline
	now   exactSum
	base  exactSum
	left  int64 // the last event that has left the baseline; None: none has
	minus int32 // how many weights are negative
	holds bool
}

func (c *spike) Enter(o Observation) Look {
	c.leave(o.At)
	if last := c.last(); last != None && o.At > Add(last, c.spec.memory) {
		c.left = None // there are no rows: they have left long ago
	}
	c.push(row{at: o.At, weight: o.Weight})
	return c.look()
}

func (c *spike) Advance(at int64) Look {
	c.leave(at)
	return c.look()
}

// Next is the next event to leave the window or the baseline, if that can matter.
func (c *spike) Next() int64 {
	crosses, leaves := Never, Never
	if c.old < c.rows.len() {
		crosses = Add(c.rows.get(c.old).at, c.spec.window)
	}
	if c.rows.len() > 0 {
		leaves = Add(c.rows.get(0).at, c.spec.whole)
	}
	switch {
	case c.holds || c.minus > 0:
		return min(crosses, leaves)
	case c.left == None: // not before there is a baseline
		return leaves
	}
	next := Never
	if c.spec.down { // less now, more usual
		next = crosses
	}
	if c.spec.up && c.old < c.rows.len() && c.now.value() >= c.spec.minCount { // less usual
		next = min(next, leaves)
	}
	return next
}

// Since is for what people are shown: the events of now, not those of the baseline.
func (c *spike) Since(at int64) int64 { return Add(at, 1-c.spec.window) }

func (c *spike) Expiry() int64 {
	last := c.last()
	if last == None {
		return None
	}
	return Add(Add(last, c.spec.memory), 1)
}

// last gives the instant of the newest event, None where there is none.
func (c *spike) last() int64 {
	if n := c.rows.len(); n > 0 {
		return c.rows.get(n - 1).at
	}
	return c.left
}

// look multiplies where it could divide: sums of whole weights are then compared without any rounding.
func (c *spike) look() Look {
	s, now := c.spec, c.now.value()
	base := c.base.value() * s.parts // usual × of
	l := Look{Value: now}
	if base > 0 {
		l.Value = now * s.of / base
	}
	if c.left != None && (now != 0 || base != 0) {
		l.Holds = s.up && now*s.of >= s.factor*base && now >= s.minCount ||
			s.down && s.factor*now*s.of <= base && base >= s.minCount*s.of
	}
	c.holds = l.Holds
	return l
}

func (c *spike) push(r row) {
	c.rows.push(r)
	c.now.add(r.weight)
	if r.weight < 0 {
		c.minus++
	}
}

func (c *spike) leave(at int64) {
	for bound := Add(at, -c.spec.window); c.old < c.rows.len(); c.old++ {
		r := c.rows.get(c.old)
		if r.at > bound {
			break
		}
		c.now.sub(r.weight)
		c.base.add(r.weight)
	}
	for bound := Add(at, -c.spec.whole); c.old > 0; c.old-- {
		r := c.rows.get(0)
		if r.at > bound {
			break
		}
		c.base.sub(r.weight)
		c.left = r.at
		c.rows.pop()
		if r.weight < 0 {
			c.minus--
		}
	}
}

func (c *spike) Encode(e *Encoder) {
	e.Bool(c.holds)
	e.Int(c.left)
	e.Len(c.old)
	c.rows.encode(e)
}

func (c *spike) Decode(d *Decoder) {
	c.holds, c.left = d.Bool(), d.Int()
	old := d.Uint()
	decodeRows(d, c.push)
	if old > uint64(c.rows.len()) { //nolint:gosec // never negative
		d.Fail()
		return
	}
	for c.old = 0; c.old < int(old); c.old++ { //nolint:gosec // bounded above
		w := c.rows.get(c.old).weight
		c.now.sub(w)
		c.base.add(w)
	}
}

// Size gives the memory of window and baseline.
func (c *spike) Size() int64 {
	return int64(unsafe.Sizeof(*c)) + c.rows.size() + c.now.size() + c.base.size()
}
