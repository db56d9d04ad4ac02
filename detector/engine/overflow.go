package engine

import "imwatch/detector/window"

// overflow is what becomes of the keys of a rule for which limits.keys leaves no room.
//
// Where the rule's type allows it they share a sketch. A key of which the sketch says that it comes near the limit is
// promoted: it gets state of its own, into which what the sketch says is supposed. Promoted keys are bounded too: when
// there are too many, one that has been still goes back into the sketch, with all that was known of it, so that
// nothing is lost. Where the type has no use for a sketch every further key is promoted, and one that has been still is
// given up for it, which is counted; but for absence, where those that are still matter most, none is.
type overflow struct {
	sketch  *window.Sketch // nil: the type has no use for one
	special map[*keyState]*special
	queue   special // ring of the promoted, by when their turn to go comes
	queued  int
}

// special is what is to be known of a key that was in the sketch, or is promoted.
type special struct {
	state      *keyState
	prev, next *special // nil unless promoted
	again      bool     // it had an event since its turn last came
	until      int64    // before this instant it holds something supposed
}

const (
	// minPromoted is how many keys may be promoted with the smallest limits.keys.
	minPromoted = 16
	// turns is how many promoted keys are tried when one has to go.
	turns = 8
)

func newOverflow(r *runner) *overflow {
	o := &overflow{special: map[*keyState]*special{}}
	o.queue.prev, o.queue.next = &o.queue, &o.queue
	if s := r.kind.Sharing; s != nil {
		o.sketch = window.NewSketch(s.Length, r.rule.Limits.Keys)
	}
	return o
}

// admit gives state to a key for which there is no room, if it has to have its own; else nil: its event is counted in
// the sketch, or not at all.
func (r *runner) admit(key string, at int64, weight float64) *keyState {
	if r.over == nil {
		r.over = newOverflow(r)
	}
	s := r.over.sketch
	if s == nil {
		r.further()
		if !r.makeRoom(false) {
			r.lose()
			return nil
		}
		return r.promote(key, at)
	}
	s.Move(at)
	n := s.Count(key)
	if n == 0 {
		r.further()
	}
	n += max(0, weight)
	holds := r.kind.Sharing.Holds(n)
	if n >= r.kind.Sharing.Near && r.makeRoom(holds) {
		return r.promote(key, at)
	}
	if holds {
		r.lose()
	}
	s.Add(key, at, weight)
	return nil
}

// makeRoom sees to it that one more key can be promoted, and says whether it can. Keys with an open alert never go, so
// for one that must raise one there may be up to limits.keys promoted.
func (r *runner) makeRoom(urgent bool) bool {
	o, most := r.over, max(minPromoted, r.rule.Limits.Keys/4)
	if o.queued < most {
		return true
	}
	if r.rule.Detect.Absence != nil {
		return false // the stillest is the one that matters
	}
	for range turns {
		s := o.queue.next
		if s.state.spell == nil && !s.again {
			r.demote(s.state)
			return true
		}
		s.again = false
		o.unqueue(s)
		o.enqueue(s)
	}
	return urgent && o.queued < max(most, r.rule.Limits.Keys)
}

func (r *runner) promote(key string, at int64) *keyState {
	k := r.add(key)
	r.suppose(k, key, at)
	r.over.enqueue(r.over.of(k))
	return k
}

// suppose puts what the sketch says of a key into its state: it may have been there before.
func (r *runner) suppose(k *keyState, key string, now int64) {
	o := r.over
	condition, ok := k.condition.(window.Supposable)
	if o.sketch == nil || !ok {
		return
	}
	o.sketch.Move(now)
	o.sketch.Each(key, now, func(at int64, weight float64) {
		condition.Suppose(at, weight)
		s := o.of(k)
		s.until = max(s.until, window.Add(at, r.kind.Sharing.Length))
	})
}

// demote puts a key back into the sketch, or gives it up.
func (r *runner) demote(k *keyState) {
	if condition, ok := k.condition.(window.Supposable); ok && r.over.sketch != nil {
		r.over.sketch.Raise(r.space.texts.get(k.key), condition.Each)
	} else {
		r.lose()
	}
	r.drop(k)
}

// of gives what is to be known of a key.
func (o *overflow) of(k *keyState) *special {
	s := o.special[k]
	if s == nil {
		s = &special{state: k, until: window.None}
		o.special[k] = s
		k.special = true
	}
	return s
}

// touch says that a key has an event at an instant.
func (o *overflow) touch(k *keyState, at int64) {
	s := o.special[k]
	if s.again = true; s.next == nil && s.until <= at {
		o.forget(k)
	}
}

// forget says that a key is like any other, or gone.
func (o *overflow) forget(k *keyState) {
	if s := o.special[k]; s.next != nil {
		o.unqueue(s)
	}
	delete(o.special, k)
	k.special = false
}

func (o *overflow) enqueue(s *special) {
	last := o.queue.prev
	s.prev, s.next = last, &o.queue
	last.next, o.queue.prev = s, s
	o.queued++
}

func (o *overflow) unqueue(s *special) {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
	o.queued--
}

// degraded says whether what a key shows at an instant rests on something supposed.
func (r *runner) degraded(k *keyState, at int64) bool {
	return k.special && r.over.special[k].until > at
}

// tidy gives the sketch's memory back when it has been empty for a window.
func (r *runner) tidy(at int64) {
	if o := r.over; o != nil && len(o.special) == 0 {
		if o.sketch != nil {
			o.sketch.Move(at)
		}
		if o.sketch == nil || o.sketch.Empty() {
			r.over = nil
		}
	}
}

// further counts a key for which limits.keys leaves no room.
func (r *runner) further() {
	r.usage.Overflow++
	if r.engine.options.Overflow != nil {
		r.engine.options.Overflow(r.rule)
	}
}

// lose counts what could not be kept: an event that may have been needed, or a key's state.
func (r *runner) lose() {
	r.usage.Lost++
	if r.engine.options.Lost != nil {
		r.engine.options.Lost(r.rule)
	}
}
