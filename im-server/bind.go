package imserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// arrival is what is known of a connection until a session is bound to it.
type arrival struct {
	began   time.Time
	request requestInfo
	hints   hints
	ask     ask
	authed  bool // the client is who it says
	waits   bool // for the client's first envelope
}

func newArrival(h *handshake) *arrival {
	q := h.g.Request.URL.Query()
	a := &arrival{began: h.began, request: newRequestInfo(h.g.Request), hints: newHints(h.g.Request), authed: h.client.user != ""}
	a.ask = ask{session: clipText(q.Get(protocol.QuerySession), protocol.MaxName), epoch: clipText(q.Get(protocol.QueryEpoch), protocol.MaxName), seq: max(0, count(q.Get(protocol.QuerySeq)))}
	a.waits = !a.authed || q.Get(protocol.QueryWait) == "1"
	return a
}

// firstEnvelope takes what a client has to say before it gets a session.
func (c *conn) firstEnvelope(e protocol.Envelope) {
	a := c.arrival
	switch p := e.Payload.(type) {
	case *protocol.Auth:
		if !c.authenticate(p) {
			return
		}
		if a.authed = true; p.SessionID != "" {
			a.ask = ask{p.SessionID, p.Epoch, p.Seq}
		}
	case *protocol.Resume:
		if !a.authed {
			c.notNow(e, "an auth comes first")
			return
		}
		a.ask = ask{p.SessionID, p.Epoch, p.Seq}
	default:
		if e.Type == protocol.TypePing {
			c.reply(protocol.TypePong, e.ID, nil)
			return
		}
		c.notNow(e, "an auth or a resume comes first")
		return
	}
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return // the next read says it
	}
	c.bind()
}

func (c *conn) notNow(e protocol.Envelope, text string) {
	c.reply(protocol.TypeError, "", &protocol.Error{Code: protocol.CodeNotNow, Text: "type: " + text, Ref: e.ID})
	if c.errors++; c.errors >= maxEarly {
		c.endEarly(event.HandshakeBadUpgrade, event.CloseProtocolError, errors.New("other envelopes came before the first"))
	}
}

// maxEarly is how many envelopes may come before the one that must.
const maxEarly = 8

// authenticate checks the token of a first envelope.
func (c *conn) authenticate(p *protocol.Auth) bool {
	ctx, cancel := context.WithTimeout(context.Background(), c.s.conf().Timeouts.Handshake)
	defer cancel()
	r := c.s.letIn(ctx, &c.client, p.Token, p.SecondFactor)
	if r == nil {
		c.identity.Store(c.client.identity)
		return true
	}
	c.endEarly(r.reason, closeFor(r.reason), r.err)
	return false
}

// handleAuth takes a new token of the user that the connection is of. One that is refused changes nothing.
func handleAuth(c *conn, e protocol.Envelope) error {
	p, _ := e.Payload.(*protocol.Auth)
	ctx, cancel := context.WithTimeout(context.Background(), c.s.conf().Timeouts.Handshake)
	defer cancel()
	client := c.client // what identify finds out must not change who the connection is of
	switch r := c.s.identify(ctx, &client, p.Token); {
	case r != nil && r.reason.RetryAfter:
		return &protocol.DecodeError{Code: protocol.CodeUnavailable, Field: "payload.token", Detail: "it cannot be checked now; try again"}
	case r != nil:
		return &protocol.DecodeError{Code: protocol.CodeDenied, Field: "payload.token", Detail: r.reason.Text}
	case client.user != c.client.user:
		return &protocol.DecodeError{Code: protocol.CodeDenied, Field: "payload.token", Detail: "it is another user's"}
	}
	c.renew(client.identity)
	c.ack(e.ID)
	return nil
}

// endEarly ends a connection that has no session: a handshake that failed.
func (c *conn) endEarly(reason event.HandshakeReason, r event.CloseReason, err error) {
	if !c.end(r, 0, err) {
		return
	}
	c.mu.Lock()
	c.refusedFor = reason
	c.mu.Unlock()
}

// bind gives the connection its session: the one that the client asks for, or a new one.
func (c *conn) bind() {
	s, a := c.s, c.arrival
	ctx, cancel := context.WithTimeout(context.Background(), s.conf().Timeouts.Handshake)
	defer cancel()
	r := s.resume(ctx, c, a.ask)
	fresh := r.x == nil
	var refused *event.CloseReason
	if fresh {
		if refused = &event.CloseSessionReplaced; !r.late {
			refused = s.admit(ctx, c)
		}
		r.x = s.newSession(c.client.user, c.client.device)
		r.x.claim(c)
	}
	c.sess = r.x
	c.opened = s.now()
	c.logConnect(a, !fresh)
	hello := c.hello()
	hello.Resumed, hello.ResumeReason = !fresh, r.reason
	c.mu.Lock()
	c.bound = true
	c.mu.Unlock()
	c.arrival = nil
	s.hub.add(c)
	s.enter(ctx, c) // before the hello: whoever has that may come again at once, and must find this one
	var (
		replayed int
		lost     error
	)
	switch {
	case fresh:
		lost = s.begin(ctx, c, hello)
	case r.crossNode:
		lost = s.takeUp(ctx, c, hello, a.ask.seq)
	default:
		replayed = r.x.attach(c, hello, a.ask.seq)
		s.readAgain(r.x)
	}
	s.report("following a topic", lost)
	if r.old != nil {
		s.replaced(r.old)
	}
	s.logResume(c, a.ask, r, replayed)
	s.beginBeat(c)
	switch {
	case lost != nil:
		// Before the client hears of it: it may come again at once, and must not be given a session that follows nothing.
		s.endSession(r.x, true)
		c.end(event.CloseStateLost, 0, lost)
	case refused != nil:
		c.end(*refused, 0, nil)
	case s.draining.Load(): // between the check and now
		c.end(event.CloseDrain, s.drainRetry(), nil)
	}
}

// begin starts a new session: what waits in the user's inbox comes first.
func (s *Server) begin(ctx context.Context, c *conn, hello *protocol.Hello) error {
	x := c.sess
	own := cluster.User + x.user
	epoch, offset, err := s.cluster.Inbox(ctx, x.user, x.device)
	s.report("reading an inbox", err)
	x.inbox = position{epoch, offset}
	x.catch = map[string]*catchUp{own: {at: x.inbox, unknown: err != nil, reading: true}}
	s.sessions.add(x)
	x.attach(c, hello, 0)
	err = s.followAll(ctx, x)
	s.saveNow(ctx, x)
	s.read(ctx, x, own)
	return err
}

// followAll makes a session a member of all its topics.
func (s *Server) followAll(ctx context.Context, x *session) error {
	names := x.topics()
	for _, name := range names {
		if err := s.follow(ctx, name, x); err != nil {
			return err
		}
	}
	if x.isEnded() { // meanwhile, by another node
		for _, name := range names {
			s.unfollow(name, x)
		}
	}
	return nil
}

// takeUp goes on with a session that another node held: what the client has not is read from the topics.
func (s *Server) takeUp(ctx context.Context, c *conn, hello *protocol.Hello, has int64) error {
	x := c.sess
	x.attach(c, hello, has)
	err := s.followAll(ctx, x)
	s.sessions.touch(x)
	for _, name := range x.topics() {
		s.read(ctx, x, name)
	}
	return err
}

// admit holds a new session against what one user may have. nil: it may.
func (s *Server) admit(ctx context.Context, c *conn) *event.CloseReason {
	conf := s.conf()
	perDevice, most := conf.Sessions.PerDevice, conf.Limits.UserConnections
	if (perDevice == perDeviceAllow || c.client.device == "") && most == 0 {
		return nil
	}
	devices, err := s.cluster.Devices(ctx, c.client.user)
	if s.report("reading who is there", err); err != nil {
		return nil // rather one too many than nobody
	}
	var same []cluster.Device // of this device, unless it may have several
	if c.client.device != "" && perDevice != perDeviceAllow {
		same = slices.DeleteFunc(slices.Clone(devices), func(d cluster.Device) bool { return d.Device != c.client.device })
	}
	switch {
	case len(same) > 0 && perDevice == perDeviceRefuse:
		return &event.CloseDeviceConflict
	case most > 0 && len(devices)-len(same) >= most: // those that are replaced make room
		return &event.CloseUserLimit
	}
	for _, d := range same {
		s.kickConnection(ctx, d, event.CloseSessionReplaced, "")
	}
	return nil
}

// replaced ends the connection that a session had before.
func (s *Server) replaced(old *conn) {
	if old.end(event.CloseSessionReplaced, 0, nil) {
		s.emit(old.event(event.ActionSessionReplaced))
	}
}

// hello is the first envelope of a session's connection.
func (c *conn) hello() *protocol.Hello {
	conf := c.s.conf()
	return &protocol.Hello{
		ConnectionID: c.id, SessionID: c.sess.id, Epoch: c.sess.epoch, Node: c.s.node,
		HeartbeatMS: conf.Heartbeat.Interval.Milliseconds(), AckMS: conf.Sessions.AckEvery.Milliseconds(),
		MessageBytes: int64(conf.Limits.MessageBytes), ServerTime: c.opened.UnixMilli(),
	}
}

func (c *conn) logConnect(a *arrival, resumed bool) {
	s := c.s
	ev := s.event(event.ActionConnect, c.opened)
	c.describe(ev)
	a.request.describe(ev)
	ev.SetInt(event.FieldHTTPStatus, http.StatusSwitchingProtocols)
	ev.SetInt(event.FieldEventDuration, int64(c.opened.Sub(a.began)))
	ev.SetBool(event.FieldSessionResumed, resumed)
	a.hints.describe(ev)
	c.logged = s.log.Begin(ev, c.record())
	s.connects.Add(1)
	s.metrics.handshakes.WithLabelValues("success", "", "ok").Inc()
	s.metrics.handshakeSeconds.Observe(c.opened.Sub(a.began).Seconds())
}

// logResume says what became of a session that was asked for.
func (s *Server) logResume(c *conn, a ask, r resumed, replayed int) {
	if a.session == "" {
		return
	}
	action, outcome := event.ActionResume, "success"
	if r.reason != "" {
		action, outcome = event.ActionResumeFailure, r.reason
	}
	s.metrics.delivery.resumes.WithLabelValues(outcome).Inc()
	ev := c.event(action)
	ev.SetText(event.FieldEventReason, r.reason)
	ev.SetInt(event.FieldResumeOffline, r.offline.Milliseconds())
	ev.SetInt(event.FieldResumeReplayed, int64(replayed))
	ev.SetInt(event.FieldResumeLastAck, a.seq)
	ev.SetInt(event.FieldResumeServerSeq, r.serverSeq)
	ev.SetBool(event.FieldResumeCrossNode, r.crossNode)
	s.emit(ev)
}

// doomed says whether the session ends with its connection, which is on its way out: closing takes a moment, and clients are
// quick to come again. x.mu is held.
func (x *session) doomed() bool {
	if x.c == nil {
		return false
	}
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	return x.c.ending.begun && !outlives(x.c.ending.reason)
}

// outlives says whether a session can be resumed after an end of its connection.
func outlives(r event.CloseReason) bool {
	return !slices.Contains([]string{
		event.CloseNormal.Reason, event.CloseLogout.Reason, event.CloseKicked.Reason, event.CloseSessionReplaced.Reason,
		event.CloseAuthRevoked.Reason, event.CloseProtocolError.Reason, event.CloseTooManyErrors.Reason, event.CloseStateLost.Reason, event.CloseUserLimit.Reason, event.CloseDeviceConflict.Reason,
	}, r.Reason)
}
