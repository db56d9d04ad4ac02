package imserver

import (
	"maps"
	"slices"
	"sync"
)

// hub knows the open connections, and whose they are. Safe for concurrent use.
type hub struct {
	mu    sync.RWMutex     // guards the fields below
	conns map[string]*conn // by id
	users map[string][]*conn
	early map[*conn]struct{} // without a session yet; not among conns
}

func newHub() *hub {
	return &hub{conns: map[string]*conn{}, users: map[string][]*conn{}, early: map[*conn]struct{}{}}
}

// wait takes in a connection that has no session yet.
func (h *hub) wait(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.early[c] = struct{}{}
}

// add takes in a connection with a session.
func (h *hub) add(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.early, c)
	h.conns[c.id] = c
	h.users[c.client.user] = append(h.users[c.client.user], c)
}

func (h *hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.early, c)
	delete(h.conns, c.id)
	rest := slices.DeleteFunc(h.users[c.client.user], func(o *conn) bool { return o == c })
	if len(rest) == 0 {
		delete(h.users, c.client.user)
	} else {
		h.users[c.client.user] = rest
	}
}

func (h *hub) count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.conns)
}

// byID gives a connection with a session; nil if there is none of the id.
func (h *hub) byID(id string) *conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.conns[id]
}

// waiting gives the connections that have no session yet.
func (h *hub) waiting() []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Keys(h.early))
}

// all gives the connections that have a session.
func (h *hub) all() []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.AppendSeq(make([]*conn, 0, len(h.conns)), maps.Values(h.conns))
}

// toUser calls deliver for each connection of a user and counts those that took it.
func (h *hub) toUser(user string, deliver func(*conn) bool) (n int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, c := range h.users[user] {
		if deliver(c) {
			n++
		}
	}
	return n
}
