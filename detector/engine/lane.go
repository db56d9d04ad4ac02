package engine

import (
	"imwatch/detector/window"
)

// item is what is kept of an event until the watermark has passed it.
type item struct {
	event  *window.Witness
	text   string // letters of the instant where they are not the usual ones
	weight float64
	keys   []keys // by the fields that rules group by
	takes  []take
}

// keys are those of an event under one group_by.
type keys struct {
	space *keyspace
	seed  uint64 // of the runner, see owner
	first string
	more  []string // where a field is a list
}

// lane evaluates the rules that have the same lateness and idle: they share watermark and buffer.
type lane struct {
	lateness, idle int64
	mark           *window.Watermark
	buffer         window.Buffer[*item]
	timers         timers
	runners        []*runner
	dispatch       dispatch // of the runners
	clock          int64    // everything before it is evaluated
	start          int64    // the stream's beginning, window.Never before the first event; settled once clock has passed it
	spare          []*item
}

func newLane(lateness, idle int64, mark *window.Watermark) *lane {
	return &lane{lateness: lateness, idle: idle, mark: mark, clock: window.None, start: window.Never}
}

func (l *lane) newItem() *item {
	if n := len(l.spare); n > 0 {
		it := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return it
	}
	return &item{}
}

// maxSpare bounds the items kept for reuse after a burst.
const maxSpare = 4096

func (l *lane) release(it *item) {
	clear(it.keys)
	clear(it.takes)
	*it = item{keys: it.keys[:0], takes: it.takes[:0]}
	if len(l.spare) < maxSpare {
		l.spare = append(l.spare, it)
	}
}

// run evaluates everything before the instant bound. At one instant events enter before timers are looked at: what
// leaves at an instant at which something enters has no look of its own, and deadlines come last.
func (l *lane) run(bound int64) {
	if bound <= l.clock {
		return
	}
	l.begin(bound)
	for {
		at, due := l.buffer.Next(), window.Never
		if len(l.timers) > 0 {
			due = l.timers[0].due
		}
		switch {
		case at <= due && at < bound:
			it := l.buffer.Pop()
			l.enter(it)
			l.release(it)
		case due < at && due < bound:
			l.fire(l.timers.pop())
		default:
			l.clock = bound
			return
		}
	}
}

func (l *lane) fire(t timer) {
	switch {
	case t.key == nil:
		t.run.expire(t.due)
	case t.key.due == t.due:
		t.key.due = window.Never
		t.run.settle(t.key, t.due)
	}
}

func (l *lane) enter(it *item) {
	for i := range it.takes {
		t := &it.takes[i]
		k := &it.keys[t.keys]
		t.run.timed(it, t, k.first)
		for _, key := range k.more {
			t.run.timed(it, t, key)
		}
	}
}
