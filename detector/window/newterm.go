package window

import (
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// Bits of what a new_term sees.
const (
	// OfKey marks what enters the condition of the key of group_by itself.
	OfKey = 1 << iota
	// Warming marks values that come while their key is still warming up.
	Warming
)

// forgetKeys is after how many histories without an event a key is forgotten, and its next event the first one again.
const forgetKeys = 10

type newTermSpec struct {
	history, warmup int64
	forget          int64 // how long a key is remembered
}

func newNewTerm(r *rule.Rule, k *Kind) {
	t := r.Detect.NewTerm
	spec := &newTermSpec{history: int64(t.History.Duration), warmup: int64(t.Warmup)}
	spec.forget = Add(times(spec.history, forgetKeys), spec.warmup)
	k.New = func() Condition { return &newTerm{spec: spec, last: None} }
	k.Values, k.Warms = true, spec.warmup > 0
	k.Selects, k.Span = filter.And{r.Where, filter.Exists{Field: t.Field}}, spec.history
	if k.Warms { // an event without the field counts as well: it may be the key's first
		k.Selects, k.Span = r.Where, Add(spec.forget, spec.warmup)
	}
	where := filter.Compile(r.Where)
	k.See = func(ev *event.Event) (Sight, bool) {
		if !where(ev) {
			return Sight{}, false
		}
		_, has := t.Field.Value(ev)
		return Sight{}, has || spec.warmup > 0
	}
}

// newTerm is when a value of a key was seen last; or of a key itself, when it had its first event and its last.
type newTerm struct {
	spec  *newTermSpec
	last  int64 // None: never
	first int64 // of a key only
	ofKey bool
}

func (c *newTerm) Enter(o Observation) Look {
	if o.Bits&OfKey != 0 {
		if c.last == None || o.At >= Add(c.last, c.spec.forget) {
			c.first = o.At
		}
		c.ofKey, c.last = true, o.At
		return Look{Holds: o.At < Add(c.first, c.spec.warmup)}
	}
	fresh := c.last == None || o.At >= Add(c.last, c.spec.history)
	c.last = o.At
	return Look{1, fresh && o.Bits&Warming == 0}
}

func (c *newTerm) Advance(int64) Look { return Look{Value: 1} }

func (c *newTerm) Next() int64 { return Never }

func (c *newTerm) Since(at int64) int64 {
	if c.ofKey {
		return Never
	}
	return Add(at, 1-c.spec.history)
}

func (c *newTerm) Expiry() int64 {
	switch {
	case c.last == None:
		return None
	case c.ofKey:
		return Add(c.last, c.spec.forget)
	}
	return Add(c.last, c.spec.history)
}

func (c *newTerm) Encode(e *Encoder) {
	e.Int(c.last)
	e.Bool(c.ofKey)
	if c.ofKey {
		e.Int(c.first)
	}
}

func (c *newTerm) Decode(d *Decoder) {
	c.last, c.ofKey = d.Int(), d.Bool()
	if c.ofKey {
		c.first = d.Int()
	}
	if c.ofKey && c.first > c.last {
		d.Fail()
	}
}
