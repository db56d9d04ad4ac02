package window

import (
	"time"
	"unsafe"

	"imwatch/detector/rule"
)

// Expecter is a condition of a key that is expected to have events: it begins without one.
type Expecter interface {
	// Expect begins to expect the key: its silence is counted from the instant from, whatever came before.
	Expect(from int64)
	// Expected says whether the key is expected.
	Expected() bool
	// Reaches gives the first instant at which the value is at least that, or above it, without an event.
	Reaches(value float64, above bool) int64
}

type absenceSpec struct {
	length int64
	learn  int64 // 0: the engine says which keys are expected
}

func newAbsence(a *rule.Absence, k *Kind) {
	spec := &absenceSpec{length: int64(a.Window.Duration), learn: int64(a.Expect.Learn)}
	k.New = func() Condition { return &absence{spec: spec} }
	k.Lookback = max(k.Lookback, spec.learn)
}

// absence is the time since the last event of a key.
type absence struct {
	spec     *absenceSpec
	last     int64 // instant of the last event, or from which the key is expected
	heard    bool  // there was an event
	expected bool
	holds    bool
}

func (c *absence) Enter(o Observation) Look {
	c.last, c.heard, c.holds = o.At, true, false
	c.expected = c.expected || c.spec.learn > 0
	return Look{}
}

// Advance comes after the events of the instant, so that heartbeats spaced exactly one window are no silence.
func (c *absence) Advance(at int64) Look {
	if !c.heard && !c.expected {
		return Look{}
	}
	silence := at - c.last
	if c.spec.learn > 0 && silence >= c.spec.learn {
		c.expected = false
	}
	c.holds = c.expected && silence >= c.spec.length
	return Look{seconds(silence), c.holds}
}

func (c *absence) Next() int64 {
	switch {
	case !c.expected:
		return Never
	case !c.holds:
		return Add(c.last, c.spec.length)
	case c.spec.learn > 0:
		return Add(c.last, c.spec.learn)
	}
	return Never
}

// Since leaves the last event to be told of.
func (c *absence) Since(int64) int64 {
	if !c.heard {
		return Never
	}
	return c.last
}

func (c *absence) Expiry() int64 {
	switch {
	case c.spec.learn > 0 && c.heard:
		return Add(c.last, c.spec.learn)
	case c.expected:
		return Never
	}
	return None
}

func (c *absence) Expect(from int64) {
	*c = absence{spec: c.spec, last: from, expected: true}
}

func (c *absence) Expected() bool { return c.expected }

func (c *absence) Reaches(value float64, above bool) int64 {
	if value >= seconds(Never) {
		return Never
	}
	// The number of whole nanoseconds near the limit; which one it is, the comparison itself says.
	n := max(int64(value*1e9)-2, 0)
	for seconds(n) < value || above && seconds(n) == value {
		n++
	}
	return Add(c.last, n)
}

func (c *absence) Size() int64 { return int64(unsafe.Sizeof(*c)) }

func (c *absence) Encode(e *Encoder) {
	e.Bool(c.heard)
	e.Bool(c.expected)
	e.Bool(c.holds)
	e.Int(c.last)
}

func (c *absence) Decode(d *Decoder) {
	c.heard, c.expected, c.holds, c.last = d.Bool(), d.Bool(), d.Bool(), d.Int()
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }
