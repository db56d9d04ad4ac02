package engine

import (
	"unique"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// runner evaluates one rule.
type runner struct {
	engine      *Engine
	lane        *lane
	rule        *rule.Rule
	fingerprint string
	kind        window.Kind
	space       *keyspace
	seed        uint64      // tells its keys apart from those of other group_bys, see owner
	states      []*keyState // by key number
	live        int
	spare       []keyState // made, never used yet
	dropped     *keyState  // to be used again, chained by next
	usage       Usage
	entered     uint64
	gate        func(at int64) bool // of the rule's calendar; nil: always open
	over        *overflow           // nil while limits.keys suffices
	aging       map[int64]*keyState // chained by next; by the instant at which to see whether they are as new
}

func newRunner(e *Engine, l *lane, r *rule.Rule) (*runner, error) {
	kind, err := window.NewKind(r)
	if err != nil {
		return nil, err
	}
	own := &runner{
		engine: e, lane: l, rule: r, kind: kind, fingerprint: r.Fingerprint(), space: e.space(r.KeyFields()), seed: seedOf(r.GroupBy), aging: map[int64]*keyState{},
		usage: Usage{LastEvent: window.None},
	}
	own.open(r)
	return own, nil
}

// open takes the rule's calendar.
func (r *runner) open(of *rule.Rule) {
	if r.gate = nil; of.When != nil {
		r.gate = of.When.Gate()
	}
}

// sees says what the rule takes of an event, false when it has no use for it. To a silence every event is an end.
func (r *runner) sees(ev *event.Event) (window.Sight, bool) {
	if r.gate != nil && r.rule.Detect.Absence == nil && !r.gate(ev.UnixNano()) {
		return window.Sight{}, false
	}
	return r.kind.See(ev)
}

// adopt takes a rule with the same fingerprint: other texts, the same decisions.
func (r *runner) adopt(to *rule.Rule) {
	r.rule = to
	r.open(to)
	if to.Detect.Absence == nil {
		return
	}
	for _, k := range r.states {
		if k != nil {
			r.schedule(k) // a severity may be reached at another instant
		}
	}
}

// take is what one rule takes of one event.
type take struct {
	run   *runner
	sight window.Sight
	keys  int // place in item.keys
	tags  []window.Tag
}

func (r *runner) tags(e *event.Event) []window.Tag {
	if len(r.rule.Evidence.Top) == 0 {
		return nil
	}
	tags := []window.Tag{}
	for i, top := range r.rule.Evidence.Top {
		if v, ok := top.Field.Value(e); ok {
			v.Each(func(v event.Value) bool {
				tags = append(tags, window.Tag{Field: uint8(i), Value: unique.Make(v.Text)}) //nolint:gosec // a rule has few fields
				return true
			})
		}
	}
	return tags
}

// enter lets an event enter under one of its keys.
func (r *runner) enter(it *item, t *take, key string) {
	k, l := r.observe(it, t, key)
	if k == nil {
		return
	}
	if k.spell != nil || l.Holds {
		r.look(k, moment{it.event.At(), it.text, it.event}, l)
	}
	r.schedule(k)
	r.watch(k, it.event.At())
}

// observe shows an event to the condition of one of its keys. The state is nil where there is none that an alert could
// be about.
func (r *runner) observe(it *item, t *take, key string) (*keyState, window.Look) {
	o := window.Observation{At: it.event.At(), Weight: it.weight, Sight: t.sight}
	if r.kind.Values {
		var wanted bool
		if o.Bits, wanted = r.ofKey(key, it); !wanted {
			return nil, window.Look{}
		}
	}
	k := r.state(key, it, t.sight.Passive || t.sight.Follows)
	if k == nil {
		return nil, window.Look{}
	}
	r.usage.Looks++
	l := k.condition.Enter(o)
	r.witness(k, it, t)
	return k, l
}

// witness keeps what alerts of the key will tell of an event that has entered.
func (r *runner) witness(k *keyState, it *item, t *take) {
	since := k.condition.Since(it.event.At())
	if since == window.Never {
		k.evidence.Clear()
		if t.sight.Follows {
			return // nothing counts after it, itself included
		}
	} else {
		k.evidence.Trim(since)
	}
	if !t.sight.Passive {
		k.evidence.Add(it.event, it.weight, r.rule.Evidence.Keep, t.tags)
	}
}

// state gives a key's state, a new one if need be; nil when the event is not to enter. One that begins nothing needs
// none: there is nothing for it to end or to go on with.
func (r *runner) state(key string, it *item, beginsNothing bool) *keyState {
	if k := r.known(key); k != nil {
		if k.special {
			r.over.touch(k, it.event.At())
		}
		return k
	}
	if beginsNothing || r.names() {
		return nil
	}
	if r.live >= r.rule.Limits.Keys {
		return r.admit(key, it.event.At(), it.weight)
	}
	k := r.add(key)
	if r.over != nil {
		r.suppose(k, key, it.event.At())
	}
	return k
}

// known gives a key's state, nil if it has none.
func (r *runner) known(key string) *keyState {
	if n, ok := r.space.find(key); ok && int(n) < len(r.states) {
		return r.states[n]
	}
	return nil
}

// settle looks at a key at an instant at which nothing more enters.
func (r *runner) settle(k *keyState, at int64) {
	r.usage.Looks++
	l := k.condition.Advance(at)
	m := moment{at: at}
	r.look(k, m, l)
	r.deadlines(k, m, l.Value)
	if k.spell == nil && k.condition.Expiry() <= at {
		r.drop(k)
		return
	}
	r.schedule(k)
	r.watch(k, at)
}

func (r *runner) schedule(k *keyState) {
	due := r.due(k)
	if due == k.due {
		return
	}
	k.due = due
	if due != window.Never {
		r.lane.timers.push(timer{due, r, k})
	}
}

// retire resolves what the rule has told: it is gone, and nobody else would.
func (r *runner) retire() {
	for _, k := range r.states {
		if k != nil {
			r.dismiss(k)
		}
	}
	r.over = nil
}
