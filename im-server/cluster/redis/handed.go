package redis

import (
	"sync"
	"sync/atomic"
	"time"

	"imwatch/im-server/cluster"
)

// handed knows the messages that are in the journal, and those that were, for the time that what comes back of them may
// take.
type handed struct {
	count atomic.Int64
	mu    sync.Mutex
	known map[string]*handedOut
}

type handedOut struct {
	here     bool      // by this process; else by the one before it
	replayed time.Time // zero: it is in the journal still
}

func handedKey(m *cluster.Message) string { return m.Topic + "\x00" + identity(m) }

// add notes a message, unless it is known.
func (h *handed) add(m *cluster.Message, here bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := handedKey(m)
	if h.known[k] != nil {
		return false
	}
	if h.known == nil {
		h.known = map[string]*handedOut{}
	}
	h.known[k] = &handedOut{here: here}
	h.count.Store(int64(len(h.known)))
	return true
}

// remove forgets one that could not be kept after all.
func (h *handed) remove(m *cluster.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.known, handedKey(m))
	h.count.Store(int64(len(h.known)))
}

// before says whether this process has handed out a message before it had its offset.
func (h *handed) before(m *cluster.Message) bool {
	if h.count.Load() == 0 {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.known[handedKey(m)]
	return x != nil && x.here
}

func (h *handed) done(m *cluster.Message, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.known[handedKey(m)]; x != nil {
		x.replayed = now
	}
}

// forget drops those that were replayed before an instant.
func (h *handed) forget(before time.Time) {
	if h.count.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, x := range h.known {
		if !x.replayed.IsZero() && x.replayed.Before(before) {
			delete(h.known, k)
		}
	}
	h.count.Store(int64(len(h.known)))
}
