package imserver

import (
	"hash/maphash"
	"sync"
	"time"
)

// wheel is the one timer of all heartbeats: a ring of slots, each holding the connections that are due in one tick.
// Connections need no timer and no goroutine for it. Safe for concurrent use.
type wheel struct {
	tick     time.Duration
	interval int64 // between two pings, clock
	seed     maphash.Seed

	mu    sync.Mutex
	slots []wheelEntry // heads of circular lists
	at    int64        // number of the tick that was turned last
}

// wheelEntry is a connection's place in the wheel, a link of its slot's list.
type wheelEntry struct {
	prev, next *wheelEntry
	c          *conn
	gone       bool // removed for good
}

func newWheel(h HeartbeatConfig, now int64) *wheel {
	w := &wheel{interval: int64(h.Interval), seed: maphash.MakeSeed()}
	// A tick is what a heartbeat may be late by: a thirtieth of the interval is a second of 30.
	w.tick = min(max(h.Interval/30, time.Millisecond), time.Second)
	w.slots = make([]wheelEntry, int(max(h.Interval, h.Timeout)/w.tick)+2)
	for i := range w.slots {
		w.slots[i].prev, w.slots[i].next = &w.slots[i], &w.slots[i]
	}
	w.at = now / int64(w.tick)
	return w
}

// add takes a connection in. Its first ping comes after a part of the interval that differs from one connection to the
// next, so that those who come together are not pinged together for ever.
func (w *wheel) add(c *conn, now int64) {
	first := int64(maphash.String(w.seed, c.id) % uint64(w.interval)) //nolint:gosec // less than the interval
	c.mu.Lock()
	c.beat.nextPing = now + first
	c.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	c.place.c = c
	w.insert(&c.place, now+first)
}

// remove takes a connection out for good.
func (w *wheel) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.place.gone = true
	c.place.unlink()
}

func (e *wheelEntry) unlink() {
	if e.prev != nil {
		e.prev.next, e.next.prev = e.next, e.prev
		e.prev, e.next = nil, nil
	}
}

// insert puts an entry into the slot of its due time. w.mu is held.
func (w *wheel) insert(e *wheelEntry, due int64) {
	n := due/int64(w.tick) + 1 // the tick that ends after it is due
	n = min(max(n, w.at+1), w.at+int64(len(w.slots))-1)
	head := &w.slots[n%int64(len(w.slots))]
	e.prev, e.next = head.prev, head
	head.prev.next, head.prev = e, e
}

// turn visits every connection that is due up to now. visit gives the time when it is due next.
func (w *wheel) turn(now int64, visit func(c *conn, now int64) (due int64)) {
	w.mu.Lock()
	last := now / int64(w.tick)
	for w.at < last {
		w.at++
		w.turnSlot(now, visit)
	}
	w.mu.Unlock()
}

// turnSlot visits the connections of the current slot, without the lock. w.mu is held before and after.
func (w *wheel) turnSlot(now int64, visit func(c *conn, now int64) int64) {
	head := &w.slots[w.at%int64(len(w.slots))]
	for head.next != head {
		e := head.next
		e.unlink()
		w.mu.Unlock()
		due := visit(e.c, now)
		w.mu.Lock()
		if !e.gone {
			w.insert(e, due)
		}
	}
}

// run turns the wheel until stop is closed.
func (w *wheel) run(stop <-chan struct{}, clock func() int64, visit func(c *conn, now int64) int64) {
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
