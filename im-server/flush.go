package imserver

import (
	"runtime"
	"sync"
	"sync/atomic"

	"imwatch/im-server/protocol"
)

// flusher writes for connections to which something was handed out. While readers still have input it waits for them:
// what a burst of messages gives one connection goes out in one write, and writes are most of what a delivery costs. It
// works in the goroutine of the reader whose burst is over, and in helpers where there is much to write. Safe for
// concurrent use.
type flusher struct {
	writers *sync.Pool
	// readers have input, and will flush before they wait or do anything else that takes time.
	readers atomic.Int64
	left    atomic.Int64 // how many of conns are left

	mu      sync.Mutex // guards the fields below
	conns   []*conn    // that have something to be written, and the flusher for a write goroutine; oldest first
	next    int        // the first that is left
	helpers int
}

const (
	flushShare = 32      // connections that one worker takes at a time
	flushKeep  = 1 << 14 // longest list that is kept for the next time
)

// add takes over connections that have something to be written. It does not write itself.
func (f *flusher) add(conns []*conn) {
	if len(conns) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, conns...)
	f.left.Store(int64(len(f.conns) - f.next))
	if f.readers.Load() == 0 && f.helpers == 0 {
		f.help()
	}
}

// flush writes for those who are there now. What comes meanwhile is written by who adds it, or by helpers.
func (f *flusher) flush() {
	n := int(f.left.Load())
	if n == 0 {
		return
	}
	w, _ := f.writers.Get().(*writer)
	defer w.release(f.writers)
	for n > 0 {
		took := f.share(w)
		if took == 0 {
			return
		}
		n -= took
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.conns) > f.next && f.helpers == 0 {
		f.help()
	}
}

// share writes for some, and says for how many.
func (f *flusher) share(w *writer) int {
	f.mu.Lock()
	some := f.conns[f.next:min(f.next+flushShare, len(f.conns))]
	w.conns = append(w.conns[:0], some...)
	clear(some)
	if f.next += len(some); f.next == len(f.conns) {
		if f.conns, f.next = f.conns[:0], 0; cap(f.conns) > flushKeep {
			f.conns = nil
		}
	} else if f.helpers < runtime.GOMAXPROCS(0)-1 {
		f.help()
	}
	f.left.Store(int64(len(f.conns) - f.next))
	f.mu.Unlock()
	for _, c := range w.conns {
		c.write(w, false)
	}
	return len(w.conns)
}

// help starts a helper, which works until nobody is left. f.mu is held.
func (f *flusher) help() {
	f.helpers++
	go func() {
		w, _ := f.writers.Get().(*writer)
		defer w.release(f.writers)
		for f.share(w) > 0 {
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.helpers--; len(f.conns) > f.next && f.helpers == 0 {
			f.help()
		}
	}()
}

// A burst is what came from one client together, as far as it is answered without waiting. It is cut where it gets long.
const (
	burstMessages = 64
	burstBytes    = 32 << 10
)

// burst is what a reader has taken since it flushed last.
type burst struct{ messages, bytes int }

// quick says whether a type's handler waits for nothing but locks.
func (s *Server) quick(t protocol.Type) bool {
	switch t { //nolint:exhaustive // the others may wait
	case protocol.TypePing, protocol.TypePong, protocol.TypeEcho, protocol.TypeAck:
		return true
	case protocol.TypePublish:
		return !s.shared
	}
	return false
}

// collect takes a message into the burst: what it gives this client and others is held back until flush. The read
// goroutine calls both, and flush before it waits for anything.
func (c *conn) collect(bytes int) {
	b := &c.burst
	if b.messages >= max(1, min(burstMessages, c.s.conf().Limits.QueueMessages/8)) || b.bytes >= burstBytes {
		c.flush()
	}
	if b.messages == 0 {
		c.s.flusher.readers.Add(1)
		c.mu.Lock()
		c.collects = true
		c.mu.Unlock()
	}
	b.messages++
	b.bytes += bytes
}

// flush writes what the burst has given, if there is one.
func (c *conn) flush() {
	if c.burst.messages == 0 {
		return
	}
	c.burst = burst{}
	c.mu.Lock()
	mine := c.left
	c.collects, c.left = false, false
	c.mu.Unlock()
	if mine {
		w, _ := c.s.writers.Get().(*writer)
		c.write(w, false)
		w.release(c.s.writers)
	}
	c.s.flusher.readers.Add(-1)
	c.s.flusher.flush()
}
