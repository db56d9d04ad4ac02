package engine

import "imwatch/detector/window"

// The key of an alert may have a part beside those of group_by: a value of the event (see window.Kind.Values). What is
// known of the key of group_by itself then stands in the same space, under the key whose value is missing.

// ofKey shows an event to the condition of the key of group_by that one of its keys belongs to, and gives what that
// tells to the condition of the value. It is not wanted where there is no value, or no room for the key.
func (r *runner) ofKey(key string, it *item) (bits uint32, wanted bool) {
	end := r.grouped(key)
	hasValue := len(key) > end+1 || key[end] != 0
	if !r.kind.Warms {
		return 0, true // See wants no event without one
	}
	own := key
	if hasValue {
		e := r.engine
		e.scratch = append(append(e.scratch[:0], key[:end]...), 0)
		own = r.space.known(e.scratch)
	}
	k, at := r.state(own, it, false), it.event.At()
	if k == nil {
		return 0, false
	}
	if k.condition.Enter(window.Observation{At: at, Weight: 1, Sight: window.Sight{Bits: window.OfKey}}).Holds {
		bits = window.Warming
	}
	r.watch(k, at)
	return bits, hasValue
}

// grouped gives the length of the part of a key that comes of group_by.
func (r *runner) grouped(key string) int {
	if !r.kind.Values {
		return len(key)
	}
	return withoutLast(key, len(r.space.fields))
}
