package engine

import "imwatch/detector/window"

// keyState is what is kept of one key under one rule.
type keyState struct {
	condition window.Condition
	evidence  window.Evidence
	spell     *spell    // nil while nothing is pending or told
	due       int64     // of its timer; Never: none
	next      *keyState // in the chain of those that age until the same instant, or of those dropped
	key       uint32
	aged      bool // it stands in runner.aging
	gone      bool // dropped, and still in runner.aging
	special   bool // it stands in overflow.special
}

// slab is how many states are made at once: they then lie side by side, without slack between them. With the header
// that the allocator puts before them they fill 8 KiB.
const slab = 127

// newState gives an unused state.
func (r *runner) newState() *keyState {
	if k := r.dropped; k != nil {
		r.dropped = k.next
		*k = keyState{}
		return k
	}
	if len(r.spare) == 0 {
		r.spare = make([]keyState, slab)
	}
	k := &r.spare[0]
	r.spare = r.spare[1:]
	return k
}

// add makes state for a key that has none.
func (r *runner) add(key string) *keyState {
	n := r.space.hold(key)
	for int(n) >= len(r.states) {
		r.states = append(r.states, nil)
	}
	k := r.newState()
	k.condition, k.due, k.key = r.kind.New(), window.Never, n
	r.states[n] = k
	r.live++
	return k
}

// drop forgets a key's state.
func (r *runner) drop(k *keyState) {
	if k.special {
		r.over.forget(k)
	}
	r.states[k.key] = nil
	r.space.drop(k.key)
	r.live--
	*k = keyState{due: window.Never, key: k.key, next: k.next, aged: k.aged, gone: true}
	if !k.aged { // else expire sees to it
		r.reuse(k)
	}
}

func (r *runner) reuse(k *keyState) { k.next, r.dropped = r.dropped, k }

// watch has a key looked at when it will have become as new, if that is not arranged.
func (r *runner) watch(k *keyState, now int64) {
	if !k.aged {
		k.aged = true
		r.age(k, now+1)
	}
}

// agingSteps is into how many steps the time is cut after which a state is dropped: it stays at most this part too
// long. The steps are instants of event time, so that what counts against limits.keys never depends on batches.
const agingSteps = 16

// age has a key looked at when it will have become as new, not before the instant from.
func (r *runner) age(k *keyState, from int64) {
	step := max(window.Add(r.kind.Span, int64(r.rule.Time.Lateness))/agingSteps, 1e9)
	due := max(k.condition.Expiry(), from)
	if due == window.Never {
		k.aged = false // it is there to stay
		return
	}
	if over := due % step; over > 0 {
		due = window.Add(due, step-over)
	} else {
		due -= over // before 1970 the rest is negative
	}
	chain, there := r.aging[due]
	if !there {
		r.lane.timers.push(timer{due, r, nil})
	}
	k.next = chain
	r.aging[due] = k
}

// expire drops the states that have become as new at an instant.
func (r *runner) expire(at int64) {
	k := r.aging[at]
	delete(r.aging, at)
	for k != nil {
		next := k.next
		switch {
		case k.gone:
			r.reuse(k)
		case k.spell != nil || k.due != window.Never: // settle sees to it, when that has ended
			k.aged = false
		case k.condition.Expiry() <= at:
			k.aged = false
			r.drop(k)
		default:
			r.age(k, at+1)
		}
		k = next
	}
	r.tidy(at)
}
