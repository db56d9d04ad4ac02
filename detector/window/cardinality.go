package window

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// ExactValues is how many distinct values of a window are counted exactly; more are estimated, with a standard error
// of 0.81 %.
const ExactValues = 10_000

type cardinalitySpec struct {
	length     int64
	is         rule.Comparison
	exact      int
	everyLeave bool // a value that leaves can make the condition true, so each is looked at
}

func newCardinality(r *rule.Rule, k *Kind) {
	t := r.Detect.Cardinality
	spec := &cardinalitySpec{length: int64(t.Window.Duration), is: t.Is, exact: ExactValues}
	spec.everyLeave = t.Is.Op != rule.Greater && t.Is.Op != rule.GreaterEqual
	where, field := filter.Compile(r.Where), t.Field
	none := t.Is.Holds(0)
	k.New = func() Condition { return &cardinality{spec: spec} }
	k.See = func(ev *event.Event) (Sight, bool) {
		if !where(ev) {
			return Sight{}, false
		}
		extra := hashes(field, ev)
		// Without a value it is only a reason to look, unless no values at all are what is looked for.
		return Sight{Passive: extra == nil && !none, Extra: extra}, true
	}
}

// hashes gives the hashes of an event's values of a field, nil where it has none.
func hashes(f filter.Field, ev *event.Event) *Extra {
	v, ok := f.Value(ev)
	if !ok {
		return nil
	}
	one := &struct {
		Extra
		room [1]uint64
	}{}
	one.Hashes = one.room[:0]
	v.Each(func(v event.Value) bool {
		one.Hashes = append(one.Hashes, hashValue(v.Canonical()))
		return true
	})
	if len(one.Hashes) == 0 {
		return nil
	}
	return &one.Extra
}

// hashValue hashes a value's canonical text. Among 10,000 values two have the same hash once in
// 370,000,000,000 windows. Two functions are mixed, so that values that are made to collide in one of them do not.
func hashValue(text string) uint64 {
	other := uint64(14695981039346656037) // FNV-1a beside xxHash
	for i := range len(text) {
		other = (other ^ uint64(text[i])) * 1099511628211
	}
	h := xxhash.Sum64String(text) ^ bits.RotateLeft64(other*0x9e3779b97f4a7c15, 31)
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// cardinality is the number of distinct values in (t − length, t]; weights do not count. The last exact + 1 distinct
// values are kept with the instants at which they were last seen: as long as not all of them lie in the window, they
// are all that lie in it. When they do there is a sketch beside them, made of what is in the window when it is first
// needed, so that both say the same whenever the evaluator began.
type cardinality struct {
	spec   *cardinalitySpec
	recent recent
	sketch *sketch // of all values in the window; nil while recent has them all
	holds  bool
}

func (c *cardinality) Enter(o Observation) Look {
	c.leave(o.At)
	if o.Extra != nil {
		for _, h := range o.Extra.Hashes {
			c.see(sighting{o.At, h})
		}
	}
	return c.look()
}

func (c *cardinality) Advance(at int64) Look {
	c.leave(at)
	return c.look()
}

func (c *cardinality) Next() int64 {
	if c.recent.len() == 0 || !c.holds && !c.spec.everyLeave {
		return Never
	}
	at := c.recent.oldest().at
	if c.sketch != nil {
		at = min(at, c.sketch.oldest())
	}
	return Add(at, c.spec.length)
}

func (c *cardinality) Since(at int64) int64 { return Add(at, 1-c.spec.length) }

func (c *cardinality) Expiry() int64 {
	if c.recent.len() == 0 {
		return None
	}
	return Add(c.recent.newest().at, c.spec.length)
}

func (c *cardinality) look() Look {
	v := float64(c.recent.len())
	if c.recent.len() > c.spec.exact {
		v = max(v, math.Round(c.sketch.estimate())) // it is known that there are at least as many
	}
	c.holds = c.spec.is.Holds(v)
	return Look{v, c.holds}
}

func (c *cardinality) see(s sighting) {
	c.recent.see(s)
	switch {
	case c.sketch != nil:
		c.sketch.see(s)
	case c.recent.len() > c.spec.exact:
		c.sketch = newSketch()
		c.recent.each(c.sketch.see)
	}
	if c.recent.len() > c.spec.exact+1 {
		c.recent.pop()
	}
}

func (c *cardinality) leave(at int64) {
	bound := Add(at, -c.spec.length)
	for c.recent.len() > 0 && c.recent.oldest().at <= bound {
		c.recent.pop()
	}
	switch {
	case c.sketch == nil:
	case c.recent.len() < c.spec.exact-c.spec.exact/10: // not at once: it may be needed again soon
		c.sketch = nil
	default:
		c.sketch.leave(bound)
	}
}

// Encode writes the sketch only where it is needed: what is written depends on what is in the window.
func (c *cardinality) Encode(e *Encoder) {
	e.Bool(c.holds)
	e.Len(c.recent.len())
	last := int64(0)
	c.recent.each(func(s sighting) {
		e.Int(s.at - last)
		e.Fixed(s.hash)
		last = s.at
	})
	if c.recent.len() > c.spec.exact {
		c.sketch.encode(e)
	}
}

func (c *cardinality) Decode(d *Decoder) {
	c.holds = d.Bool()
	last, n := int64(0), d.Len(9)
	for i := range n {
		step := d.Int()
		last += step
		if step < 0 && i > 0 {
			d.Fail()
		}
		c.recent.see(sighting{last, d.Fixed()})
	}
	if c.recent.len() != n || n > c.spec.exact+1 {
		d.Fail()
	}
	if d.Err() == nil && n > c.spec.exact {
		c.sketch = decodeSketch(d)
	}
}

// Size gives the memory of the values.
func (c *cardinality) Size() int64 {
	n := int64(unsafe.Sizeof(*c)) + c.recent.size()
	if c.sketch != nil {
		n += c.sketch.size()
	}
	return n
}
