package imserver

import (
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/ops"
	"imwatch/im-server/protocol"
)

// abnormalClosure is the code that stands for no close frame, RFC 6455 section 7.1.5.
const abnormalClosure = 1006

// ending is how a connection ends. What begins it first is its reason; what comes after is only the way of it.
type ending struct {
	begun       bool
	reason      event.CloseReason
	err         error
	phase       string
	at          evidence
	closeSent   bool
	closeFailed bool // the socket takes nothing more
	peerClosed  bool
	peerCode    int
	writeErr    error // a write failed, and the reader is asked why
	linger      bool  // the peer's frames cannot be read any more
}

// evidence is the state of a connection when its end began.
type evidence struct {
	rxAge, pongAge, queueAge int64 // clock; pongAge -1: there was none
	queueBytes               int
}

// The phases of a connection (im.close.phase).
const (
	phaseHello  = "hello"
	phaseActive = "active"
	phaseDrain  = "drain"
)

// end ends the connection for a reason of ours: a close frame, a short wait for the peer's, and the socket is closed. It
// returns at once, and false if the connection was ending already.
func (c *conn) end(r event.CloseReason, retry time.Duration, err error) bool {
	c.mu.Lock()
	begun := c.beginEnd(r, retry, err)
	c.mu.Unlock()
	return begun
}

// beginEnd is end with c.mu held.
func (c *conn) beginEnd(r event.CloseReason, retry time.Duration, err error) bool {
	if !c.settle(r, err) {
		return false
	}
	switch r.Reason {
	case event.CloseSlowConsumer.Reason, event.CloseHeartbeatTimeout.Reason, event.CloseWriteTimeout.Reason, event.CloseWriteError.Reason,
		event.CloseOverload.Reason:
		c.discard() // it would not be taken
	}
	text := protocol.CloseText{Reason: r.Reason, RetryMS: retry.Milliseconds()}
	text.Fresh = !c.s.shared && r.Reason == event.CloseDrain.Reason // nobody has the session when this node is gone
	c.pushClose(websocket.FormatCloseMessage(r.Code, string(text.Append(nil))))
	c.readUntil(c.s.conf().Timeouts.Close)
	return true
}

// settle fixes the reason, unless there is one already, and the evidence with it. c.mu is held.
func (c *conn) settle(r event.CloseReason, err error) bool {
	if c.ending.begun {
		return false
	}
	now := c.s.clock()
	c.ending.begun, c.ending.reason, c.ending.err, c.ending.phase = true, r, err, c.phase()
	c.ending.at = c.evidence(now)
	return true
}

func (c *conn) phase() string {
	switch {
	case c.s.draining.Load():
		return phaseDrain
	case c.sent == 0 && c.out.flight.frames == 0: // a hello in flight may have been read already
		return phaseHello
	}
	return phaseActive
}

func (c *conn) pushClose(payload []byte) {
	c.push(frame{op: websocket.CloseMessage, data: payload})
}

// onClose takes the peer's close frame, and answers it if it is the first.
func (c *conn) onClose(code, textSize int) {
	c.follow(ops.DirIn, "close", 2+textSize)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending.peerClosed, c.ending.peerCode = true, code
	if c.settle(closeByPeer(code), nil) {
		c.discard()
		c.pushClose(websocket.FormatCloseMessage(code, ""))
	}
}

// readUntil bounds how long the connection is read from now on.
func (c *conn) readUntil(d time.Duration) {
	// The error is that of a closed socket, which the reader sees by itself.
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
}

// cut closes the socket without a word.
func (c *conn) cut() { _ = c.nc.Close() }

// finish puts the connection away and writes its one end. It is called once, by the read goroutine, with the error
// that ended reading.
func (c *conn) finish(err error) {
	if errorClass(err) == classEOF {
		c.waitWriter(writerWord) // it may know that it was a reset
	}
	var late error
	c.mu.Lock()
	bound := c.bound
	switch {
	case c.ending.begun:
	case !bound && errorClass(err) == classDeadline:
		c.beginEnd(event.CloseHelloTimeout, 0, err)
	case c.timing != 0 && errorClass(err) == classDeadline:
		late = &lateError{c.s.conf().Timeouts.Message, err}
		c.beginEnd(event.CloseIdle, 0, late)
		c.ending.linger = true
	default:
		c.settle(c.classify(err))
		c.discard()
	}
	linger := c.ending.linger
	c.mu.Unlock()
	if late != nil {
		c.logAbuse(event.ActionMessageRejected, event.CloseIdle, abuseDrip, late)
	}

	if errorClass(err) != classDeadline || !bound || linger { // else the time to wait is over
		c.waitWriter(c.s.conf().Timeouts.Close)
	}
	if linger {
		c.linger()
	}
	c.cut()
	c.waitWriter(0)
	if bound {
		c.s.awaitTold(c) // still in the hub: it may turn out that others have ended it
	}
	c.s.hub.remove(c)
	if bound {
		c.s.endBeat(c)
		if c.rate.refused > 0 {
			c.logRate(&c.rate, c.s.clock())
		}
		c.logEnd()
		c.unbind()
	} else {
		c.logEarly()
	}
	c.s.freeSlot()
}

// writerWord is how long a writer may take to say what it found of a socket that has ended.
const writerWord = 100 * time.Millisecond

// unbind takes the connection from its session, which may outlive it.
func (c *conn) unbind() {
	s, x, now := c.s, c.sess, c.s.now()
	s.leave(c)
	if !x.detach(c, now) {
		return // another connection has it
	}
	c.mu.Lock()
	reason := c.ending.reason
	c.mu.Unlock()
	if !outlives(reason) {
		s.endSession(x, false)
		return
	}
	s.sessions.lostAt(x, now)
	s.sessions.touch(x)
}

// logEarly writes the failed handshake of a connection that got no session.
func (c *conn) logEarly() {
	c.mu.Lock()
	e, reason := c.ending, c.refusedFor
	c.mu.Unlock()
	switch {
	case reason.Reason != "":
	case !c.arrival.authed && e.reason.Reason != event.CloseHelloTimeout.Reason && e.reason.Initiator != event.ByServer:
		reason = event.HandshakeTokenMissing
	case slices.Contains(badBefore, e.reason.Reason):
		reason = event.HandshakeBadUpgrade
	default:
		reason = event.HandshakeTimeout
	}
	c.s.noteRefusal(refused{
		refusal: refusal{reason: reason, err: e.err}, client: c.client, request: c.arrival.request,
		duration: c.s.now().Sub(c.arrival.began), status: http.StatusSwitchingProtocols,
	})
}

// badBefore are the ends for what a client has sent before it had a session.
var badBefore = []string{event.CloseProtocolError.Reason, event.CloseMessageTooBig.Reason, event.CloseRateLimited.Reason}

// linger lets the peer read our close frame although it has sent more than we read: closing at once would reset the
// connection and take the frame from it.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.nc.SetReadDeadline(time.Now().Add(c.s.conf().Timeouts.Close)) == nil {
		_, _ = io.Copy(io.Discard, c.nc) // ends with the peer's end or the deadline: either will do
	}
}

// logEnd writes the disconnect line, the one end of the connection.
func (c *conn) logEnd() {
	c.mu.Lock()
	e, sent, orphaned := c.ending, c.sent, c.orphaned
	rtt := c.beat.rtt
	c.mu.Unlock()
	unacked := c.sess.unacked()
	life := c.s.now().Sub(c.opened)
	c.s.metrics.disconnects.WithLabelValues(e.reason.Reason, e.reason.Initiator).Inc()
	c.s.ends.Add(1)
	c.noteClosed()
	if !c.logged {
		return // its start was dropped: a half of a pair would be worse than none
	}
	if orphaned != 0 {
		ev := c.s.log.Event()
		c.s.describeOrphan(ev, c.s.node, c.s.boot, time.Unix(0, orphaned), c.record())
		c.s.log.End(ev, c.id)
		return
	}
	ev := c.event(event.ActionDisconnect)
	ev.SetText(event.FieldLogLevel, e.reason.LevelFor(life))
	ev.SetText(event.FieldEventOutcome, e.reason.Outcome)
	ev.SetInt(event.FieldEventDuration, int64(life))
	e.describe(ev)
	if rtt > 0 {
		ev.SetFloat(event.FieldHeartbeatRTT, milliseconds(rtt))
	}
	ev.SetInt(event.FieldMessageUnacked, unacked)
	ev.SetInt(event.FieldBytesIn, c.bytesIn.Load())
	ev.SetInt(event.FieldBytesOut, c.bytesOut.Load())
	ev.SetInt(event.FieldMessagesIn, c.messagesIn.Load())
	ev.SetInt(event.FieldMessagesOut, sent)
	c.s.log.End(ev, c.id)
}

// closeCode is the code that ended the connection.
func (e *ending) closeCode() int {
	switch {
	case e.peerClosed && e.reason.Initiator == event.ByClient:
		return e.peerCode
	case e.reason.Code != 0:
		return e.reason.Code
	}
	return abnormalClosure
}

func (e *ending) describe(ev *event.Event) {
	if e.peerClosed {
		ev.SetInt(event.FieldClosePeerCode, int64(e.peerCode))
	}
	ev.SetInt(event.FieldCloseCode, int64(e.closeCode()))
	ev.SetText(event.FieldCloseReason, e.reason.Reason)
	ev.SetText(event.FieldEventReason, e.reason.Reason)
	ev.SetText(event.FieldCloseInitiator, e.reason.Initiator)
	ev.SetText(event.FieldCloseRetry, e.reason.Retry)
	ev.SetText(event.FieldClosePhase, e.phase)
	ev.SetBool(event.FieldCloseClean, e.peerClosed && e.closeSent)
	e.at.describe(ev)
	if e.err != nil {
		ev.SetText(event.FieldErrorType, errorClass(e.err))
		ev.SetText(event.FieldErrorMessage, clipText(e.err.Error(), maxErrorText))
	}
}

func (a *evidence) describe(ev *event.Event) {
	ev.SetInt(event.FieldRxAge, a.rxAge/int64(time.Millisecond))
	if a.pongAge >= 0 {
		ev.SetInt(event.FieldHeartbeatPongAge, a.pongAge/int64(time.Millisecond))
	}
	ev.SetInt(event.FieldQueueBytes, int64(a.queueBytes))
	ev.SetInt(event.FieldQueueAge, a.queueAge/int64(time.Millisecond))
}

func milliseconds(d int64) float64 { return float64(d) / float64(time.Millisecond) }

// freeSlot gives a place among the connections back.
func (s *Server) freeSlot() {
	s.slots.Add(-1)
	select {
	case s.freed <- struct{}{}:
	default:
	}
}
