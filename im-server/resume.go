package imserver

import (
	"context"
	"errors"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// ask is what a client says of the session that it wants to go on with. The zero ask wants a new one.
type ask struct {
	session, epoch string
	seq            int64
}

// sessionTTL is how long what another node must know of a session is kept without being saved again.
const sessionTTL = 30 * time.Minute

// resumed is what became of an ask.
type resumed struct {
	x         *session // nil: the client gets a new one
	old       *conn    // that the session had on this node
	reason    string   // why; "" where nothing was asked for
	late      bool     // the client has come again meanwhile, by a connection that has the session
	crossNode bool
	offline   time.Duration // since the connection before was lost; 0: it was not
	serverSeq int64
}

// resume finds the session that a client asks for, checks that nothing of it is lost, and gives it to the connection.
func (s *Server) resume(ctx context.Context, c *conn, a ask) resumed {
	if a.session == "" {
		return resumed{}
	}
	if x := s.sessions.get(a.session); x != nil {
		r := s.resumeHere(c, x, a)
		if r.reason != event.ResumeEpochChanged || !s.tookElsewhere(ctx, x) {
			return r
		}
		s.takenAway(x)
	}
	if !s.shared {
		return resumed{reason: event.ResumeUnknownSession}
	}
	// A session is worth a moment's wait: what the nodes share may only be slow.
	for limit := time.Now().Add(s.conf().Timeouts.Ask); ; {
		r := s.resumeThere(ctx, c, a)
		if r.reason != event.ResumeStoreUnavailable || time.Now().After(limit) || !s.pause(ctx, resumeEvery) {
			return r
		}
		if x := s.sessions.get(a.session); x != nil { // meanwhile, by another connection
			return s.resumeHere(c, x, a)
		}
	}
}

// tookElsewhere says whether another node has taken a session that is still held here, because this one did not answer it in
// time: what the client knows of the session is of that node then.
func (s *Server) tookElsewhere(ctx context.Context, x *session) bool {
	if !s.shared {
		return false
	}
	rec, err := s.cluster.LoadSession(ctx, x.id)
	return err == nil && rec.User == x.user && (rec.Node != s.node || rec.Boot != s.boot)
}

// resumeEvery is the time between two tries to reach a session's record, which go on for timeouts.ask.
const resumeEvery = 200 * time.Millisecond

func (s *Server) resumeHere(c *conn, x *session, a ask) resumed {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := resumed{serverSeq: x.seq}
	if !x.lost.IsZero() {
		r.offline = s.now().Sub(x.lost)
	}
	switch {
	case x.user != c.client.user:
		r.reason = event.ResumeWrongUser
	case x.ended, x.doomed():
		r.reason = event.ResumeUnknownSession
	case a.epoch != x.epoch && (x.prev == "" || a.epoch != x.prev): // a client may not have had the hello with the new one
		r.reason = event.ResumeEpochChanged
	case a.seq > x.seq:
		r.reason = event.ResumeSeqAhead
	case a.seq < x.ring.base:
		r.reason = event.ResumeSeqTooOld
	case r.offline > s.conf().Sessions.Resume:
		r.reason = event.ResumeExpired
	case x.c != nil && otherDevice(x.c.client.device, c.client.device):
		r.reason = event.ResumeStillAttached
	case x.c != nil && c.began < x.c.began: // of the client's two it has given up this one
		r.reason, r.late = event.ResumeStillAttached, true
	default:
		r.x, r.old = x, x.claim(c)
	}
	return r
}

// otherDevice says whether two connections are of devices that differ: a copy of what another device has stored must not
// take that one's session, or they would do so in turns for ever.
func otherDevice(a, b string) bool { return a != "" && b != "" && a != b }

// resumeThere takes a session over that another node holds, or held.
func (s *Server) resumeThere(ctx context.Context, c *conn, a ask) resumed {
	rec, err := s.cluster.LoadSession(ctx, a.session)
	switch {
	case errors.Is(err, cluster.ErrUnknown):
		return resumed{reason: event.ResumeUnknownSession, crossNode: true}
	case err != nil:
		s.report("reading a session", err)
		return resumed{reason: event.ResumeStoreUnavailable, crossNode: true}
	}
	r := resumed{crossNode: true, serverSeq: rec.Seq}
	if !rec.Detached.IsZero() {
		r.offline = s.now().Sub(rec.Detached)
	}
	switch {
	case rec.User != c.client.user:
		r.reason = event.ResumeWrongUser
	case rec.Epoch != a.epoch:
		r.reason = event.ResumeEpochChanged
	case r.offline > s.conf().Sessions.Resume:
		r.reason = event.ResumeExpired
	}
	if r.reason != "" {
		return r
	}
	var gaps map[string]int64
	if rec.Node != s.node || rec.Boot != s.boot {
		given, reason := s.askHolder(ctx, rec, a, c.client.device)
		if reason != "" {
			r.reason = reason
			return r
		}
		if given.Session != nil {
			rec, r.serverSeq, gaps = given.Session, given.Session.Seq, given.Gaps
		}
	}
	if a.seq < rec.Acked {
		r.reason = event.ResumeSeqTooOld
		return r
	}
	x := s.restore(rec, a)
	for topic, n := range gaps {
		x.noteGap(gap{event.ActionTopicGap, topic, n})
	}
	x.claim(c)
	if other := s.sessions.addFirst(x); other != nil { // another connection was quicker
		return s.resumeHere(c, other, a)
	}
	r.x = x
	s.report("saving a session", s.writeRecord(ctx, x)) // before anybody asks the node before
	return r
}

// restore makes the session of a record, without a connection. What it has missed is still to be read. Its epoch is a new
// one: should the node before live after all, its numbers are not taken for these.
func (s *Server) restore(rec *cluster.Session, a ask) *session {
	x := &session{
		s: s, id: rec.ID, taking: true, epoch: newID()[:8], prev: rec.Epoch, user: rec.User, device: rec.Device, seq: a.seq, rooms: rec.Rooms,
		ring: ring{base: a.seq}, catch: map[string]*catchUp{},
	}
	x.inbox = position{rec.Epochs[cluster.User+x.user], rec.Positions[cluster.User+x.user]}
	for _, topic := range x.topics() {
		offset, known := rec.Positions[topic]
		x.catch[topic] = &catchUp{at: position{rec.Epochs[topic], offset}, unknown: !known && topic == cluster.User+x.user, reading: true}
	}
	return x
}

// topicsOf names what a session follows.
func topicsOf(user string, globals, rooms []string) []string {
	names := []string{cluster.User + user}
	for _, g := range globals {
		names = append(names, cluster.Global+g)
	}
	for _, r := range rooms {
		names = append(names, cluster.Room+r)
	}
	return names
}

// topics names what the session follows.
func (x *session) topics() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return topicsOf(x.user, x.s.globals, x.rooms)
}

// record is what another node must know of the session.
func (x *session) record() *cluster.Session {
	x.mu.Lock()
	rec := &cluster.Session{
		ID: x.id, Epoch: x.epoch, User: x.user, Device: x.device, Node: x.s.node, Boot: x.s.boot, Seq: x.seq, Acked: x.ring.base,
		Rooms: append([]string(nil), x.rooms...), Detached: x.lost,
	}
	x.mu.Unlock()
	x.positions(rec, rec.Acked)
	return rec
}

// positions notes where in each topic a client stands that has everything up to a number: before the first message
// behind it, or else where the topic is.
func (x *session) positions(rec *cluster.Session, seq int64) {
	rec.Positions, rec.Epochs = map[string]int64{}, map[string]string{}
	names := topicsOf(x.user, x.s.globals, rec.Rooms)
	// First where the topics are: what comes meanwhile is read twice rather than not at all.
	for _, name := range names {
		if a := x.s.topics.of(name); a != nil {
			a.mu.Lock()
			rec.Positions[name], rec.Epochs[name] = a.last, a.epoch
			a.mu.Unlock()
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, w := range x.catch { // the session is behind the topic
		rec.Positions[name], rec.Epochs[name] = w.at.offset, w.at.epoch
	}
	own := cluster.User + x.user
	unknown := x.catch[own] != nil && x.catch[own].unknown
	if unknown { // the next node asks for it, as this one would have
		delete(rec.Positions, own)
		delete(rec.Epochs, own)
	}
	for _, d := range x.ring.after(seq) {
		if unknown && d.Topic == own {
			continue
		}
		p := d.place()
		if at, ok := rec.Positions[d.Topic]; p.offset > 0 && (!ok || rec.Epochs[d.Topic] == p.epoch && p.offset <= at) {
			rec.Positions[d.Topic], rec.Epochs[d.Topic] = p.offset-1, p.epoch
		}
	}
}
