package sim

import (
	"time"

	"imwatch/event"
)

// begin starts the next line of a node: what every event has.
func (g *generator) begin(n *node, a event.Action) {
	e := &g.ev
	e.Reset()
	e.Begin(a, g.now.Truncate(time.Microsecond))
	n.seq++
	e.SetText(event.FieldEventID, eventID(n.name, n.boot, n.seq))
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldServiceVersion, "1.0.0")
	e.SetText(event.FieldServiceEnvironment, "simulation")
	e.SetText(event.FieldServiceNode, n.name)
	e.SetText(event.FieldCloudZone, n.zone)
	e.SetText(event.FieldSpanID, g.hex(16))
}

// eventID gives <node>-<boot>-<sequence>, the sequence ten digits wide.
func eventID(name, boot string, seq int64) string {
	b := make([]byte, 0, len(name)+len(boot)+12)
	b = append(b, name...)
	b = append(b, '-')
	b = append(b, boot...)
	b = append(b, '-')
	var digits [10]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + seq%10)
		seq /= 10
	}
	return string(append(b, digits[:]...))
}

// write puts the line out. The first fault is kept and ends the run.
func (g *generator) write() {
	e := &g.ev
	if !e.Has(event.FieldTraceID) {
		e.SetText(event.FieldTraceID, g.traceID())
	}
	g.buf = append(e.AppendJSON(g.buf[:0]), '\n')
	if _, err := g.out.Write(g.buf); err != nil && g.err == nil {
		g.err = err
	}
	g.lines++
	g.actions[e.Action()]++
	if g.opts.Progress != nil && g.lines%100_000 == 0 {
		g.opts.Progress(g.lines, g.now)
	}
}

// from says which client a line is about.
func (g *generator) from(u *user) {
	e := &g.ev
	e.SetText(event.FieldClientIP, u.ip)
	e.SetInt(event.FieldClientPort, u.port)
	e.SetInt(event.FieldDestinationPort, 8080)
	e.SetText(event.FieldUserID, u.id)
	e.SetText(event.FieldDeviceID, u.device)
	e.SetText(event.FieldUserAgent, u.agent)
	e.SetText(event.FieldPlatform, u.platform)
	e.SetText(event.FieldAppVersion, u.version)
}

// of says which connection a line is about.
func (g *generator) of(c *conn) {
	g.from(c.user)
	g.ev.SetText(event.FieldTraceID, c.trace)
	g.ev.SetText(event.FieldConnID, c.id)
	g.ev.SetText(event.FieldSessionID, c.session)
}

func (g *generator) upgrade(status int64) {
	e := &g.ev
	e.SetText(event.FieldHTTPMethod, "GET")
	e.SetText(event.FieldURLPath, "/ws/connect")
	e.SetInt(event.FieldHTTPStatus, status)
	e.SetText(event.FieldHTTPVersion, "1.1")
}

func (g *generator) connectLine(c *conn, resumed bool) {
	g.begin(c.node, event.ActionConnect)
	g.of(c)
	g.upgrade(101)
	e := &g.ev
	e.SetText(event.FieldSpanID, c.span)
	e.SetText(event.FieldParentID, g.hex(16))
	e.SetInt(event.FieldEventDuration, int64(g.between(time.Millisecond, 12*time.Millisecond)))
	e.SetBool(event.FieldSessionResumed, resumed)
	e.SetInt(event.FieldConnAttempt, 1)
	// A client that was not told to stay away came back by itself, and says so.
	if u := c.user; u.prev.Reason != "" && u.prev.Retry != event.RetryNever {
		e.SetInt(event.FieldConnAttempt, 2)
		e.SetText(event.FieldConnPrevReason, u.prev.Reason)
		e.SetInt(event.FieldConnPrevLife, u.prevLife.Milliseconds())
	}
	g.write()
}

func (g *generator) resumeLine(c *conn) {
	g.begin(c.node, event.ActionResume)
	g.of(c)
	e := &g.ev
	e.SetText(event.FieldParentID, c.span)
	ack := g.rng.Int64N(500)
	e.SetInt(event.FieldResumeOffline, g.now.Sub(c.user.lostAt).Milliseconds())
	e.SetInt(event.FieldResumeReplayed, 0)
	e.SetInt(event.FieldResumeLastAck, ack)
	e.SetInt(event.FieldResumeServerSeq, ack)
	g.write()
}

func (g *generator) disconnectLine(c *conn, r event.CloseReason) {
	g.begin(c.node, event.ActionDisconnect)
	g.of(c)
	e, life := &g.ev, g.now.Sub(c.since)
	e.SetText(event.FieldParentID, c.span)
	e.SetText(event.FieldEventOutcome, r.Outcome)
	e.SetText(event.FieldLogLevel, r.LevelFor(life))
	e.SetText(event.FieldEventReason, r.Reason)
	e.SetInt(event.FieldEventDuration, int64(life))
	if r.Code != 0 {
		e.SetInt(event.FieldCloseCode, int64(r.Code))
	}
	clean := r.Initiator == event.ByClient || r == event.CloseDrain
	if clean {
		e.SetInt(event.FieldClosePeerCode, int64(r.Code))
	}
	e.SetText(event.FieldCloseReason, r.Reason)
	e.SetText(event.FieldCloseInitiator, r.Initiator)
	if r.Initiator == event.ByNetwork {
		e.SetText(event.FieldErrorType, "read")
		e.SetText(event.FieldErrorMessage, r.Meaning)
	}
	phase := "active"
	if c.node.draining {
		phase = "drain"
	}
	e.SetText(event.FieldClosePhase, phase)
	e.SetBool(event.FieldCloseClean, clean)
	e.SetText(event.FieldCloseRetry, r.Retry)
	g.evidence(c)
	sent := int64(g.scenario.Chat * life.Seconds())
	e.SetInt(event.FieldBytesIn, sent*180)
	e.SetInt(event.FieldBytesOut, sent*420+64)
	e.SetInt(event.FieldMessagesIn, sent)
	e.SetInt(event.FieldMessagesOut, sent*2+1)
	g.write()
}

// evidence is what the server knew when a connection ended.
func (g *generator) evidence(c *conn) {
	e := &g.ev
	e.SetInt(event.FieldQueueBytes, 0)
	e.SetInt(event.FieldQueueAge, 0)
	e.SetInt(event.FieldMessageUnacked, 0)
	if !c.lastRead.IsZero() {
		age := g.now.Sub(c.lastRead).Milliseconds()
		e.SetInt(event.FieldRxAge, age)
		e.SetInt(event.FieldHeartbeatPongAge, age)
		return
	}
	age := g.now.Sub(c.since) % g.scenario.heartbeat()
	e.SetInt(event.FieldRxAge, int64(age/time.Millisecond))
	e.SetInt(event.FieldHeartbeatPongAge, int64(age/time.Millisecond))
	e.SetFloat(event.FieldHeartbeatRTT, float64(5+g.rng.IntN(80)))
}

// handshakeFailure is a client's try that came to nothing.
func (g *generator) handshakeFailure(n *node, u *user, r event.HandshakeReason) {
	g.begin(n, event.ActionHandshakeFailure)
	g.from(u)
	g.upgrade(int64(r.Status))
	e := &g.ev
	e.SetText(event.FieldLogLevel, r.Level)
	e.SetText(event.FieldParentID, g.hex(16))
	e.SetText(event.FieldEventReason, r.Reason)
	e.SetText(event.FieldHandshakeStage, r.Stage)
	e.SetText(event.FieldErrorCode, r.Reason)
	e.SetText(event.FieldErrorMessage, r.Text)
	e.SetInt(event.FieldEventDuration, int64(g.between(200*time.Microsecond, 3*time.Millisecond)))
	g.write()
}

// heartbeatLine is a heartbeat_missed or heartbeat_timeout.
func (g *generator) heartbeatLine(c *conn, a event.Action) {
	g.begin(c.node, a)
	g.of(c)
	e := &g.ev
	e.SetText(event.FieldParentID, c.span)
	e.SetInt(event.FieldHeartbeatMissed, c.missed)
	e.SetInt(event.FieldHeartbeatInterval, g.scenario.heartbeat().Milliseconds())
	e.SetText(event.FieldEventReason, event.CloseHeartbeatTimeout.Reason)
	g.evidence(c)
	g.write()
}
