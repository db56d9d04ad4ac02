package imserver

import (
	"slices"
	"sync"
)

// hub knows the open connections: by id, by user and by room. Handing out messages never blocks on a client, so the
// locks are held while it is done. Safe for concurrent use.
type hub struct {
	mu    sync.RWMutex // guards conns and users
	conns map[*conn]struct{}
	users map[string][]*conn

	roomMu sync.RWMutex // guards rooms
	rooms  map[string]map[*conn]struct{}
}

func newHub() *hub {
	return &hub{conns: map[*conn]struct{}{}, users: map[string][]*conn{}, rooms: map[string]map[*conn]struct{}{}}
}

func (h *hub) add(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = struct{}{}
	h.users[c.client.user] = append(h.users[c.client.user], c)
}

func (h *hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
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

// all gives the connections that are open now.
func (h *hub) all() []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		list = append(list, c)
	}
	return list
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

func (h *hub) join(room string, c *conn) {
	h.roomMu.Lock()
	defer h.roomMu.Unlock()
	if h.rooms[room] == nil {
		h.rooms[room] = map[*conn]struct{}{}
	}
	h.rooms[room][c] = struct{}{}
}

func (h *hub) leave(room string, c *conn) {
	h.roomMu.Lock()
	defer h.roomMu.Unlock()
	delete(h.rooms[room], c)
	if len(h.rooms[room]) == 0 {
		delete(h.rooms, room)
	}
}

// toRoom calls deliver for each member of a room but one and counts those that took it.
func (h *hub) toRoom(room string, except *conn, deliver func(*conn) bool) (n int) {
	h.roomMu.RLock()
	defer h.roomMu.RUnlock()
	for c := range h.rooms[room] {
		if c != except && deliver(c) {
			n++
		}
	}
	return n
}
