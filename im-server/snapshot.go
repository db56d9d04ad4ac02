package imserver

import (
	"iter"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/im-server/cluster"
	"imwatch/im-server/ops"
)

// snapshot gives the connection as it is now, without its rooms: the one place where the operations API reads it.
func (c *conn) snapshot() ops.Conn {
	at := c.s.now()
	now := int64(at.Sub(c.s.start))
	v := ops.Conn{
		ID: c.id, Session: c.sess.id, User: c.client.user, Device: c.client.device, Platform: c.client.platform,
		AppVersion: c.client.appVersion, UserAgent: c.client.agent, IP: c.client.ip, Port: c.client.port,
		Protocol: c.codec.Name(), TraceID: c.client.trace.trace, Node: c.s.node, State: ops.StateOpen,
		Opened: c.opened, AgeMS: at.Sub(c.opened).Milliseconds(), IdleMS: clockMS(now - c.lastRx.Load()),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), MessagesIn: c.messagesIn.Load(), PongAge: -1,
	}
	v.Seq, v.Acked, v.Unacked = c.sess.numbers()
	c.mu.Lock()
	defer c.mu.Unlock()
	v.RTTMS, v.Missed = milliseconds(c.beat.rtt), int(c.beat.missed)
	if age := c.beat.pongAge(now); age >= 0 {
		v.PongAge = clockMS(age)
	}
	v.Queue, v.Bytes, v.QueueAge = c.out.len(), c.out.bytes, clockMS(c.out.age(now))
	v.MessagesOut = c.sent
	if e := &c.ending; e.begun {
		v.State = ops.StateClosing
		v.End = &ops.End{
			Reason: e.reason.Reason, Code: e.closeCode(), PeerCode: e.peerCode, Initiator: e.reason.Initiator, Phase: e.phase, Clean: e.peerClosed && e.closeSent,
		}
		if e.err != nil {
			v.End.Error = clipText(e.err.Error(), maxErrorText)
		}
	}
	return v
}

// noteClosed keeps the connection, whose end is over, for those who ask later.
func (c *conn) noteClosed() {
	v := c.snapshot()
	v.State, v.End.At = ops.StateClosed, c.s.now()
	c.s.api.Ended(v)
	if c.s.api.Traces.On() {
		c.s.api.Traces.Frame(ops.Frame{At: v.End.At, Conn: c.id, User: c.client.user, Dir: ops.DirEnd, Type: v.End.Reason})
	}
}

// follow tells those who follow the connection of a frame: its type and size, never what it says. It costs nearly
// nothing while nobody does. c.mu is not held.
func (c *conn) follow(dir, kind string, size int) {
	if !c.s.api.Traces.On() {
		return
	}
	c.mu.Lock()
	waiting := c.out.bytes
	c.mu.Unlock()
	c.s.api.Traces.Frame(ops.Frame{At: c.s.now(), Conn: c.id, User: c.client.user, Dir: dir, Type: kind, Bytes: size, Queue: waiting})
}

// followControl is follow for a control frame of ours. c.mu is held.
func (c *conn) followControl(f *frame) {
	if f.isMessage() || !c.s.api.Traces.On() {
		return
	}
	kind := map[int]string{websocket.PingMessage: "ping", websocket.PongMessage: "pong", websocket.CloseMessage: "close"}[f.op]
	c.s.api.Traces.Frame(ops.Frame{At: c.s.now(), Conn: c.id, User: c.client.user, Dir: ops.DirOut, Type: kind, Bytes: len(f.data), Queue: c.out.bytes})
}

// connections gives those of a user, of a room, or all. They may be ending.
func (s *Server) connections(user, room string) (list []*conn) {
	take := func(c *conn) bool { list = append(list, c); return true }
	switch {
	case user != "":
		s.hub.toUser(user, take)
	case room != "":
		if a := s.topics.of(cluster.Room + room); a != nil {
			a.mu.Lock()
			members := slices.Clone(a.members)
			a.mu.Unlock()
			for _, x := range members {
				if c := x.connection(); c != nil {
					take(c)
				}
			}
		}
	default:
		return s.hub.all()
	}
	return list
}

// roomsOf gives the rooms of a connection.
func (s *Server) roomsOf(c *conn) (rooms []string) {
	c.sess.mu.Lock()
	defer c.sess.mu.Unlock()
	return slices.Sorted(slices.Values(c.sess.rooms))
}

func snapshots(conns []*conn) iter.Seq[ops.Conn] {
	return func(yield func(ops.Conn) bool) {
		for _, c := range conns {
			if !yield(c.snapshot()) {
				return
			}
		}
	}
}

func clockMS(d int64) int64 { return d / int64(time.Millisecond) }
