package engine

import (
	"unsafe"

	"imwatch/detector/window"
)

// Usage is what a rule has taken of the engine since it was set, and what it holds now.
type Usage struct {
	Keys       int   // with state
	StateBytes int64 // memory of these, an estimate from some of them; keys and ids shared by rules count for each
	Events     uint64
	Looks      uint64 // at a condition of one key
	Late       uint64 // events that came after the watermark
	Overflow   uint64 // keys for which limits.keys left no room
	Lost       uint64 // events not taken in, and keys given up, for want of room even past it
	LastEvent  int64  // greatest event time taken in; window.None without any

	// Some of the events were timed, where Options has a stopwatch.

	Timed    uint64
	TimedFor int64 // ns, of all of them
}

// Add adds what another engine has of the same rule.
func (u *Usage) Add(o Usage) {
	u.Keys += o.Keys
	u.StateBytes += o.StateBytes
	u.Events += o.Events
	u.Looks += o.Looks
	u.Late += o.Late
	u.Overflow += o.Overflow
	u.Lost += o.Lost
	u.LastEvent = max(u.LastEvent, o.LastEvent)
	u.Timed += o.Timed
	u.TimedFor += o.TimedFor
}

// PerEvent gives the average time that an event took under the rule, in ns; 0 while none was timed.
func (u *Usage) PerEvent() int64 {
	if u.Timed == 0 {
		return 0
	}
	return u.TimedFor / int64(u.Timed) //nolint:gosec // counts of this process
}

// Usage gives the usage of each rule by its id. It looks at some keys of each rule only, so it may be asked often.
func (e *Engine) Usage() map[string]Usage {
	all := map[string]Usage{}
	for _, l := range e.lanes {
		for _, r := range l.runners {
			u := r.usage
			u.Keys, u.StateBytes = r.live, r.stateBytes()
			all[r.rule.ID] = u
		}
	}
	return all
}

// timedEvery is of how many events one is timed: reading the clock twice costs as much as a cheap rule does.
const timedEvery = 64

// took counts an event that the rule has taken in.
func (u *Usage) took(at int64) {
	u.Events++
	u.LastEvent = max(u.LastEvent, at)
}

// timed lets an event enter under one of its keys, and times some.
func (r *runner) timed(it *item, t *take, key string) {
	stopwatch := r.engine.options.Stopwatch
	if r.entered++; stopwatch == nil || r.entered%timedEvery != 0 {
		r.enter(it, t, key)
		return
	}
	began := stopwatch()
	r.enter(it, t, key)
	r.usage.Timed++
	r.usage.TimedFor += stopwatch() - began
}

// sampled is how many keys the estimate of a rule's memory looks at.
const sampled = 64

// What a key costs beside what its condition and its evidence hold: its state and the entries in the lists of the
// rule and of the keyspace, the share of its index included.
const (
	keyBytes   = int64(unsafe.Sizeof(keyState{})) + 8 + 8 + 12
	spellBytes = int64(unsafe.Sizeof(spell{}))
)

// stateBytes estimates the memory of the rule's keys: it measures some, and takes the others to be like them.
func (r *runner) stateBytes() int64 {
	if r.live == 0 {
		return 0
	}
	seen, bytes := int64(0), int64(0)
	step := max(1, len(r.states)/sampled)
	for i := 0; i < len(r.states); i += step {
		if k := r.states[i]; k != nil {
			seen++
			bytes += r.sizeOf(k)
		}
	}
	if seen == 0 { // the states stand thin
		return int64(r.live) * keyBytes
	}
	return bytes * int64(r.live) / seen
}

func (r *runner) sizeOf(k *keyState) int64 {
	n := keyBytes + int64(len(r.space.texts.get(k.key))) + window.Size(k.condition) + k.evidence.Size()
	if k.spell != nil {
		n += spellBytes
	}
	return n
}
