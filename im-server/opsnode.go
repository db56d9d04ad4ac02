package imserver

import (
	"context"
	"iter"
	"slices"

	"imwatch/event"
	"imwatch/im-server/hot"
	"imwatch/im-server/ops"
)

// opsNode is the server as the operations API sees it.
type opsNode struct{ s *Server }

func (n opsNode) Name() (node, boot string) { return n.s.node, n.s.boot }

func (n opsNode) Count() int { return n.s.hub.count() }

func (n opsNode) Conns(user, room string) iter.Seq[ops.Conn] {
	conns := n.s.connections(user, room)
	if user != "" && room != "" {
		inRoom := n.s.connections("", room)
		conns = slices.DeleteFunc(conns, func(c *conn) bool { return !slices.Contains(inRoom, c) })
	}
	return snapshots(conns)
}

func (n opsNode) Conn(id string) (ops.Conn, bool) {
	c := n.s.hub.byID(id)
	if c == nil {
		return ops.Conn{}, false
	}
	v := c.snapshot()
	v.Rooms = n.s.roomsOf(c)
	return v, true
}

func (n opsNode) Kick(id, actor string) bool {
	return n.s.endConnection(id, event.CloseKicked, actor)
}

func (n opsNode) KickUser(ctx context.Context, user, actor string) int {
	return n.s.Kick(ctx, user, actor)
}

func (n opsNode) Config() []hot.Value { return hot.Values(n.s.conf()) }

func (n opsNode) Configure(object []byte, actor string) ([]hot.Change, error) {
	n.s.reloading.mu.Lock()
	defer n.s.reloading.mu.Unlock()
	wanted := *n.s.conf()
	if err := hot.Set(&wanted, object); err != nil {
		n.s.reloading.tries.WithLabelValues("refused").Inc()
		return nil, err
	}
	// Keys that wait for a restart are none of this request: they stay as they wait.
	pending := n.s.reloading.pending
	changes, err := n.s.reconfigure(&wanted, actor)
	n.s.reloading.pending = pending
	n.s.reloading.wait.Set(float64(len(pending)))
	return changes, err
}
