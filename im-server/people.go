package imserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// watchers knows which connections are told of which users. Safe for concurrent use.
type watchers struct {
	s  *Server
	mu sync.Mutex
	of map[string][]*conn // by the user that is watched
}

// set makes a connection watch these users and no others.
func (w *watchers) set(ctx context.Context, c *conn, users []string) error {
	w.mu.Lock()
	before := c.watching
	c.watching = users
	var fresh, over []string
	for _, u := range users {
		if !slices.Contains(before, u) {
			w.of[u] = append(w.of[u], c)
			fresh = append(fresh, u)
		}
	}
	for _, u := range before {
		if slices.Contains(users, u) {
			continue
		}
		rest := slices.DeleteFunc(w.of[u], func(o *conn) bool { return o == c })
		if w.of[u] = rest; len(rest) == 0 {
			delete(w.of, u)
			over = append(over, u)
		}
	}
	w.mu.Unlock()
	for _, u := range over {
		w.s.cluster.Unwatch(u)
	}
	var errs []error
	for _, u := range fresh {
		errs = append(errs, w.s.cluster.Watch(ctx, u))
	}
	return errors.Join(errs...)
}

// seen tells those who watch a user.
func (w *watchers) seen(user string, online bool) {
	w.mu.Lock()
	list := slices.Clone(w.of[user])
	w.mu.Unlock()
	for _, c := range list {
		c.reply(protocol.TypePresence, "", &protocol.Presence{States: []protocol.State{{User: user, Online: online}}})
	}
}

func handlePresence(c *conn, e protocol.Envelope) error {
	p, _ := e.Payload.(*protocol.PresenceAsk)
	ctx, cancel := context.WithTimeout(context.Background(), c.s.conf().Timeouts.Publish)
	defer cancel()
	if p.Room != "" {
		return c.roomPresence(e, p.Room)
	}
	var watch []string
	if p.Watch {
		watch = p.Users
	}
	if err := c.s.watchers.set(ctx, c, watch); err != nil {
		return c.unavailable("watching who is there", err)
	}
	answer := &protocol.Presence{}
	for _, u := range p.Users {
		devices, err := c.s.cluster.Devices(ctx, u)
		if err != nil {
			return c.unavailable("reading who is there", err)
		}
		answer.States = append(answer.States, protocol.State{User: u, Online: len(devices) > 0, Devices: int64(len(devices))})
	}
	c.reply(protocol.TypePresence, e.ID, answer)
	return nil
}

func (c *conn) unavailable(doing string, err error) error {
	c.s.report(doing, err)
	return &protocol.DecodeError{Code: protocol.CodeUnavailable, Detail: "it cannot be known now; try again"}
}

// maxPresence is how many users of a room are named.
const maxPresence = 100

// roomPresence says who of a room is on this node.
func (c *conn) roomPresence(e protocol.Envelope, room string) error {
	if !c.sess.isIn(room) {
		return &protocol.DecodeError{Code: protocol.CodeNotMember, Field: "payload.room", Detail: "subscribe to the room first"}
	}
	count := map[string]int64{}
	if a := c.s.topics.of(cluster.Room + room); a != nil {
		a.mu.Lock()
		for _, x := range a.members {
			count[x.user]++
		}
		a.mu.Unlock()
	}
	answer := &protocol.Presence{Room: room, Count: int64(len(count))}
	for u, n := range count {
		if len(answer.States) < maxPresence {
			answer.States = append(answer.States, protocol.State{User: u, Online: true, Devices: n})
		}
	}
	slices.SortFunc(answer.States, func(a, b protocol.State) int { return strings.Compare(a.User, b.User) })
	c.reply(protocol.TypePresence, e.ID, answer)
	return nil
}

func handleDevices(c *conn, e protocol.Envelope) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.s.conf().Timeouts.Publish)
	defer cancel()
	devices, err := c.s.cluster.Devices(ctx, c.client.user)
	if err != nil {
		return c.unavailable("reading who is there", err)
	}
	answer := &protocol.Devices{}
	for _, d := range devices {
		answer.Devices = append(answer.Devices, protocol.Device{
			Device: d.Device, Platform: d.Platform, ConnectionID: d.Connection, Since: d.Since.UnixMilli(), This: d.Connection == c.id,
		})
	}
	c.reply(protocol.TypeDevices, e.ID, answer)
	return nil
}

// handleKick ends connections of the client's own user.
func handleKick(c *conn, e protocol.Envelope) error {
	p, _ := e.Payload.(*protocol.Kick)
	ctx, cancel := context.WithTimeout(context.Background(), c.s.conf().Timeouts.Publish)
	defer cancel()
	devices, err := c.s.cluster.Devices(ctx, c.client.user)
	if err != nil {
		return c.unavailable("reading who is there", err)
	}
	n := 0
	for _, d := range devices {
		if d.Connection == p.ConnectionID || p.Device != "" && d.Device == p.Device {
			if c.s.kickConnection(ctx, d, event.CloseKicked, "user "+c.client.user+" on connection "+c.id) {
				n++
			}
		}
	}
	c.reply(protocol.TypeAck, "", &protocol.Ack{Ref: e.ID, Delivered: int64(n)})
	return nil
}

// enter tells the cluster of a connection.
func (s *Server) enter(ctx context.Context, c *conn) {
	s.report("entering presence", s.cluster.Enter(ctx, c.client.user, cluster.Device{
		Device: c.client.device, Platform: c.client.platform, Connection: c.id, Session: c.sess.id, Node: s.node, Since: c.opened,
	}))
}

// leave tells it of the end.
func (s *Server) leave(c *conn) {
	s.watchers.drop(c)
	s.report("leaving presence", s.cluster.Leave(s.life, c.client.user, c.id))
}

// drop ends all watching of a connection.
func (w *watchers) drop(c *conn) {
	w.mu.Lock()
	none := len(c.watching) == 0
	w.mu.Unlock()
	if !none {
		w.s.report("watching who is there", w.set(w.s.life, c, nil))
	}
}
