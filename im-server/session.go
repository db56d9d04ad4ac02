package imserver

import (
	"sync"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// session is what a client has beyond one connection: the numbers of its messages, those that it has not acknowledged,
// and its rooms. Safe for concurrent use. Locks are taken in this order: an audience's, a session's, a connection's.
type session struct {
	s      *Server
	id     string
	epoch  string
	user   string
	device string

	prev string // epoch with the node that held it before; "": none

	saving sync.Mutex // held while the record is written: another node's must not be written over. Comes before mu.

	taking bool // from another node, whose record is still there; guarded by saving

	mu    sync.Mutex // guards the fields below
	c     *conn      // nil: its connection was lost
	greet bool       // c has not had its hello, and is sent nothing before
	lost  time.Time  // when
	ended bool
	seq   int64 // number of the last message
	ring  ring  // what is not acknowledged
	rooms []string
	catch map[string]*catchUp // topics of which older messages are being read
	since int64               // clock when what waits longest was sent last
	tries int                 // how often that was sent again
	inbox position            // of the user's own topic: how far it is acknowledged
	gaps  []gap               // that the client is still to be told of
}

// position is a place in a topic.
type position struct {
	epoch  string
	offset int64
}

func (s *Server) newSession(user, device string) *session {
	return &session{s: s, id: newID(), epoch: newID()[:8], user: user, device: device}
}

// deliver gives the session a message, unless it has published it itself.
func (x *session) deliver(d *delivery, h *handout) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch w := x.catch[d.Topic]; {
	case x.ended, d.Session == x.id && d.Topic[:2] != cluster.User:
	case w != nil && d.Offset > 0:
		w.hold(d)
	default:
		x.give(d, h)
	}
}

// give numbers a message, keeps it until it is acknowledged, and sends it if there is a connection. x.mu is held.
func (x *session) give(d *delivery, h *handout) {
	if len(x.ring.items) == 0 {
		x.since, x.tries = h.now, 0
	}
	x.seq++
	x.ring.push(d)
	h.kept++
	c := x.s.conf()
	// All of it must fit into the queue of a connection that resumes.
	most, bytes := min(c.Sessions.Messages, max(1, c.Limits.QueueMessages/2)), min(c.Sessions.Bytes, c.Limits.QueueBytes/2)
	for len(x.ring.items) > most || x.ring.bytes > bytes && len(x.ring.items) > 1 {
		x.s.metrics.delivery.settle(x.s.metrics.delivery.dropped, len(x.ring.drop(x.ring.base+1)))
	}
	if x.c != nil && !x.greet {
		x.c.sendDelivery(d, x.seq, h)
	}
}

// ack takes the client's word that it has everything up to a number. Only the connection of the session is heard.
func (x *session) ack(c *conn, seq int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c != c {
		return nil
	}
	if seq > x.seq {
		return &protocol.DecodeError{Code: protocol.CodeBadField, Field: "payload.seq", Detail: "the last message that was sent has a smaller one"}
	}
	if newest := seq - x.ring.base; newest > 0 {
		took := x.s.now().UnixMilli() - x.ring.items[newest-1].At
		x.s.metrics.delivery.ackSeconds.Observe(float64(max(0, took)) / 1000)
	}
	x.acked(seq)
	return nil
}

// acked drops what is acknowledged. x.mu is held.
func (x *session) acked(seq int64) {
	gone := x.ring.drop(seq)
	if len(gone) == 0 {
		return
	}
	x.since, x.tries = x.s.clock(), 0
	x.s.metrics.delivery.settle(x.s.metrics.delivery.acknowledged, len(gone))
	save := x.s.shared // other nodes know what is acknowledged
	for _, d := range gone {
		if d.Topic[:2] == cluster.User && d.Offset > 0 {
			x.inbox, save = position{d.Epoch, d.Offset}, true
		}
	}
	if save {
		x.s.sessions.touch(x)
	}
}

// unacked is how many messages wait for an acknowledgement.
func (x *session) unacked() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int64(len(x.ring.items))
}

// numbers gives the number of the last message, of the last one acknowledged, and how many wait for that.
func (x *session) numbers() (seq, acked, unacked int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seq, x.ring.base, int64(len(x.ring.items))
}

// connection gives the one that the session has; nil: it was lost.
func (x *session) connection() *conn {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.c
}

// retryBatch is how many messages are sent again at once.
const retryBatch = 64

// retry sends again what has waited too long, gives up what was sent too often, and says when to look again; 0: when
// one likes.
func (x *session) retry(now int64) (due int64) {
	conf := x.s.conf().Sessions
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c == nil || x.greet || len(x.ring.items) == 0 {
		return 0
	}
	wait := int64(conf.AckTimeout) << x.tries
	if now-x.since < wait {
		return x.since + wait
	}
	if x.tries++; x.tries >= conf.Attempts {
		x.fail()
		return 0
	}
	x.since = now
	x.s.metrics.delivery.retries.Inc()
	h := x.s.newHandout(0)
	defer h.end()
	for i, d := range x.ring.items[:min(retryBatch, len(x.ring.items))] {
		x.c.sendDelivery(d, x.ring.base+1+int64(i), h)
	}
	return now + int64(conf.AckTimeout)<<x.tries
}

// fail gives up everything that is not acknowledged. A private message stays in the user's inbox. x.mu is held.
func (x *session) fail() {
	n := len(x.ring.items)
	first := x.ring.items[0]
	x.ring.drop(x.seq)
	x.s.metrics.delivery.settle(x.s.metrics.delivery.failed, n)
	ev := x.c.event(event.ActionMessageFailed)
	ev.SetText(event.FieldEventReason, "no_ack")
	ev.SetText(event.FieldMessageID, first.ID)
	ev.SetText(event.FieldTopicKind, topicKind(first.Topic))
	ev.SetInt(event.FieldMessageAttempt, int64(x.tries))
	ev.SetText(event.FieldMessageDirection, "out")
	if n > 1 {
		ev.SetFloat(event.FieldSampleWeight, float64(n))
	}
	x.s.emit(ev)
}

// claim makes a connection the session's, which is sent nothing before attach. It gives the connection before. x.mu is
// held, or nobody else knows x.
func (x *session) claim(c *conn) (old *conn) {
	old, x.c, x.greet, x.lost = x.c, c, true, time.Time{}
	return old
}

// attach begins to send to the connection that has claimed the session and has everything up to a number: the hello goes
// first, then what it has not, then what comes. It gives how many messages were sent again. It does nothing when another
// connection, or another node, has the session by now.
func (x *session) attach(c *conn, hello *protocol.Hello, has int64) (replayed int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c != c || x.ended {
		return 0
	}
	x.greet = false
	x.acked(has)
	x.since, x.tries = x.s.clock(), 0
	hello.Seq = has
	c.reply(protocol.TypeHello, "", hello)
	for _, g := range x.gaps {
		x.tellGap(g.action, g.topic, g.missed)
	}
	x.gaps = nil
	rest := x.ring.after(has)
	h := x.s.newHandout(0)
	defer h.end()
	for i, d := range rest {
		c.sendDelivery(d, x.seq-int64(len(rest)-1-i), h)
	}
	return len(rest)
}

// detach takes a connection from the session, if it is the session's, and says so.
func (x *session) detach(c *conn, at time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c != c {
		return false
	}
	x.c, x.lost = nil, at
	return true
}

// end ends the session, unless it has a connection again, and says so.
func (x *session) end(force bool) bool {
	x.mu.Lock()
	if x.ended || x.c != nil && !force {
		x.mu.Unlock()
		return false
	}
	x.ended = true
	x.s.metrics.delivery.settle(x.s.metrics.delivery.closed, len(x.ring.drop(x.seq)))
	rooms := x.rooms
	x.rooms, x.catch = nil, nil
	x.mu.Unlock()
	x.s.unfollow(cluster.User+x.user, x)
	for _, g := range x.s.globals {
		x.s.unfollow(cluster.Global+g, x)
	}
	for _, r := range rooms {
		x.s.unfollow(cluster.Room+r, x)
	}
	return true
}
