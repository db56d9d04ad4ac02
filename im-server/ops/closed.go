package ops

import (
	"iter"
	"slices"
	"sync"
)

// ring keeps the last ends. Safe for concurrent use.
type ring struct {
	mu    sync.Mutex // guards the fields below
	conns []Conn
	next  int
	size  int
}

func newRing(size int) *ring { return &ring{size: size} }

func (r *ring) add(c Conn) {
	if r.size == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.conns) < r.size {
		r.conns = append(r.conns, c)
		return
	}
	r.conns[r.next] = c
	r.next = (r.next + 1) % r.size
}

// all gives what is kept.
func (r *ring) all() iter.Seq[Conn] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Values(slices.Clone(r.conns))
}

func (r *ring) find(id string) (Conn, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.conns, func(c Conn) bool { return c.ID == id })
	if i < 0 {
		return Conn{}, false
	}
	return r.conns[i], true
}
