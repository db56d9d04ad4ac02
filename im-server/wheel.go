package imserver

import (
	"sync"
	"time"
)

// timed is what the wheel visits. visit says when it is due next, on the server's clock.
type timed interface {
	visit(now int64) (due int64)
}

// wheel is the one timer of all that is due now and then: a ring of slots, each holding what is due in one tick. What is
// on it needs no timer and no goroutine of its own, and is visited within one tick of its due time, never before. Safe
// for concurrent use.
type wheel struct {
	tick time.Duration

	mu    sync.Mutex
	slots []wheelEntry // heads of circular lists
	at    int64        // number of the tick that was turned last
	count int
}

// wheelEntry is a place in the wheel, a link of its slot's list. The zero wheelEntry is in none.
type wheelEntry struct {
	prev, next *wheelEntry
	owner      timed
	due        int64 // clock; while it is visited: no later than this
	gone       bool  // removed for good
}

// newWheel makes a wheel that finds what is due within span in one round; what is due later takes more rounds.
func newWheel(tick, span time.Duration, now int64) *wheel {
	w := &wheel{tick: tick, at: now / int64(tick)}
	w.slots = make([]wheelEntry, int(span/tick)+2)
	for i := range w.slots {
		w.slots[i].prev, w.slots[i].next = &w.slots[i], &w.slots[i]
	}
	return w
}

// add takes owner in, to be visited when it is due.
func (w *wheel) add(e *wheelEntry, owner timed, due int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.owner, e.due = owner, due
	w.insert(e)
	w.count++
}

// remove takes an entry out for good. It may be visited a last time while this is done.
func (w *wheel) remove(e *wheelEntry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.owner == nil || e.gone {
		return
	}
	e.gone = true
	e.unlink()
	w.count--
}

// sooner has an entry visited at due, unless it is due before that anyway.
func (w *wheel) sooner(e *wheelEntry, due int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.owner == nil || e.gone || e.due <= due {
		return
	}
	e.due = due
	if e.prev != nil { // else it is being visited, and put back after that
		e.unlink()
		w.insert(e)
	}
}

// len counts what is on the wheel.
func (w *wheel) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (e *wheelEntry) unlink() {
	if e.prev != nil {
		e.prev.next, e.next.prev = e.next, e.prev
		e.prev, e.next = nil, nil
	}
}

// insert puts an entry into the slot of its due time. w.mu is held.
func (w *wheel) insert(e *wheelEntry) {
	size := int64(len(w.slots))
	n := (e.due-1)/int64(w.tick) + 1 // the first tick that begins when it is due
	n = min(max(n, w.at+1), w.at+size-1)
	head := &w.slots[n%size]
	e.prev, e.next = head.prev, head
	head.prev.next, head.prev = e, e
}

// turn visits everything that is due up to now. visit gives the time when it is due next.
func (w *wheel) turn(now int64, visit func(owner timed, now int64) (due int64)) {
	w.mu.Lock()
	last := now / int64(w.tick)
	for w.at < last {
		w.at++
		w.turnSlot(now, visit)
	}
	w.mu.Unlock()
}

// turnSlot visits what is in the current slot, each without the lock. w.mu is held before and after.
func (w *wheel) turnSlot(now int64, visit func(owner timed, now int64) int64) {
	head := &w.slots[w.at%int64(len(w.slots))]
	for head.next != head {
		e := head.next
		e.unlink()
		if e.due > now { // beyond one round
			w.insert(e)
			continue
		}
		const never = 1<<63 - 1
		e.due = never
		w.mu.Unlock()
		due := visit(e.owner, now)
		w.mu.Lock()
		if !e.gone {
			e.due = min(e.due, due)
			w.insert(e)
		}
	}
}

// run turns the wheel until stop is closed.
func (w *wheel) run(stop <-chan struct{}, clock func() int64, visit func(owner timed, now int64) int64) {
	t := time.NewTicker(w.tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			w.turn(clock(), visit)
		case <-stop:
			return
		}
	}
}
