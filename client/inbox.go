package client

import (
	"sync"

	"imwatch/im-server/protocol"
)

// inboxMost is how many items wait for the handler before reading waits too.
const inboxMost = 1024

// item is one thing for the handler.
type item struct {
	link *link             // that the envelope came by
	e    protocol.Envelope // of type "": there is none
	call func()
}

// inbox stands between reading and the handler, so that a handler that blocks holds no pings and no acks up. Safe for
// concurrent use.
type inbox struct {
	mu      sync.Mutex
	changed sync.Cond
	items   []item
	closed  bool
}

func newInbox() *inbox {
	b := &inbox{}
	b.changed.L = &b.mu
	return b
}

// push adds an item, and waits for room where it may.
func (b *inbox) push(i item, waits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for waits && len(b.items) >= inboxMost && !b.closed {
		b.changed.Wait()
	}
	if !b.closed {
		b.items = append(b.items, i)
		b.changed.Broadcast()
	}
}

// pop waits for what there is, and gives false when nothing will come any more.
func (b *inbox) pop(spare []item) ([]item, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.items) == 0 && !b.closed {
		b.changed.Wait()
	}
	taken := b.items
	clear(spare)
	b.items = spare[:0]
	b.changed.Broadcast()
	return taken, len(taken) > 0
}

// close lets pop give what is left, and then nothing.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Broadcast()
}
