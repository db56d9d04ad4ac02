package eventlog

import (
	"slices"
	"sync"

	"imwatch/event"
)

// queued is an event on its way to the log.
type queued struct {
	ev    *event.Event
	open  *Record // of a connect: what the ledger keeps of the connection
	close string  // of a connection's end: the id of the connection
	minor bool    // gives way to others first
	must  bool    // is always taken
}

// queue is what stands between connections and the log: bounded, and never blocking. It gives events their ids, so
// that the order of ids is the order in the queue and in the file. Ends, and the few lines of the node itself, are always
// taken, so the bound is limit and the open connections together; what is minor is taken up to three quarters of limit, so that a flood of it leaves room for
// starts and refusals. Safe for concurrent use.
type queue struct {
	prefix string        // of ids: <node>-<boot id>-
	wake   chan struct{} // has a token while there may be something to take
	pool   sync.Pool     // *event.Event

	mu      sync.Mutex // guards the fields below
	limit   int
	items   []queued
	seq     uint64
	dropped uint64
	closed  bool
}

func newQueue(prefix string, limit int) *queue {
	q := &queue{prefix: prefix, limit: limit, wake: make(chan struct{}, 1)}
	q.pool.New = func() any { return new(event.Event) }
	return q
}

// event gives an empty event, to be handed to put.
func (q *queue) event() *event.Event { return q.pool.Get().(*event.Event) }

// recycle takes an event back after it was written.
func (q *queue) recycle(ev *event.Event) {
	ev.Reset()
	q.pool.Put(ev)
}

// put hands an event over for writing and reports whether it was taken. The event is not the caller's any more.
func (q *queue) put(it queued) bool {
	q.mu.Lock()
	if q.closed || q.full(it) {
		q.dropped++
		q.mu.Unlock()
		q.recycle(it.ev)
		return false
	}
	if !it.ev.Has(event.FieldEventID) {
		q.seq++
		it.ev.SetText(event.FieldEventID, eventID(q.prefix, q.seq))
	}
	q.items = append(q.items, it)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// full says whether there is no room for it. q.mu is held.
func (q *queue) full(it queued) bool {
	switch {
	case it.close != "", it.must:
		return false
	case it.minor:
		return len(q.items) >= max(1, q.limit/4*3)
	}
	return len(q.items) >= q.limit
}

func (q *queue) resize(limit int) {
	q.mu.Lock()
	q.limit = limit
	q.mu.Unlock()
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// take gives all that waits, and the highest sequence among it. spare is memory to use again.
func (q *queue) take(spare []queued) ([]queued, uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = slices.Delete(spare, 0, len(spare))
	return items, q.seq
}

// close makes further puts fail. What waits can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}

func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// seqDigits is the width of the sequence in an id: ids sort as they were made.
const seqDigits = 10

func eventID(prefix string, seq uint64) string {
	var digits [20]byte
	i := len(digits)
	for n := 0; n < seqDigits || seq > 0; n++ {
		i--
		digits[i] = byte('0' + seq%10)
		seq /= 10
	}
	return prefix + string(digits[i:])
}
