package imserver

import (
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/ops"
)

// heartbeat is what a connection knows of its pings. Guarded by the connection's mu; times are of the server's clock.
type heartbeat struct {
	nextPing int64
	number   uint32 // of the last ping, from 1
	answered uint32 // highest number that came back
	sentAt   int64  // of the last ping, when it was written
	lastPong int64  // 0: none yet
	rtt      int64  // of the last answer
	missed   int    // in a row
}

// pongAge is how long ago the last pong came; -1: none did.
func (h *heartbeat) pongAge(now int64) int64 {
	if h.lastPong == 0 {
		return -1
	}
	return now - h.lastPong
}

// visit is what the wheel does with a connection: it notes a missed pong, ends a dead connection, sends the next ping,
// and gives the time of the next visit.
func (s *Server) visit(c *conn, now int64) (due int64) {
	hb := s.conf().Heartbeat
	silent := now - c.lastRx.Load()
	c.mu.Lock()
	if c.ending.begun {
		c.mu.Unlock()
		return now + int64(hb.Interval)
	}
	b := &c.beat
	missed := now >= b.nextPing && b.number != b.answered
	if missed {
		b.missed++
	}
	dead := b.missed >= hb.MaxMissed || silent >= int64(hb.Timeout)
	if now >= b.nextPing && !dead {
		b.number++
		b.sentAt = 0
		b.nextPing = max(b.nextPing, now-int64(hb.Interval)) + int64(hb.Interval) // a late visit does not shift the next
		c.push(frame{op: websocket.PingMessage, data: strconv.AppendUint(nil, uint64(b.number), 10)})
	}
	state := *b
	c.mu.Unlock()
	if missed {
		s.metrics.missed.Inc()
		s.logHeartbeat(c, event.ActionHeartbeatMissed, state, now, silent)
	}
	if dead {
		s.logHeartbeat(c, event.ActionHeartbeatTimeout, state, now, silent)
		c.end(event.CloseHeartbeatTimeout, 0, nil)
	}
	due = min(state.nextPing, now-silent+int64(hb.Timeout))
	if again := c.sess.retry(now); again != 0 {
		due = min(due, again)
	}
	if over := s.stay(c, now); over != 0 {
		due = min(due, over)
	}
	return due
}

func (s *Server) logHeartbeat(c *conn, a event.Action, b heartbeat, now, silent int64) {
	ev := c.event(a)
	ev.SetInt(event.FieldHeartbeatMissed, int64(b.missed))
	ev.SetInt(event.FieldHeartbeatInterval, s.conf().Heartbeat.Interval.Milliseconds())
	if b.rtt > 0 {
		ev.SetFloat(event.FieldHeartbeatRTT, milliseconds(b.rtt))
	}
	unacked := c.sess.unacked()
	c.mu.Lock()
	at := evidence{rxAge: silent, pongAge: b.pongAge(now), queueAge: c.out.age(now), queueBytes: c.out.bytes}
	c.mu.Unlock()
	at.describe(ev)
	ev.SetInt(event.FieldMessageUnacked, unacked)
	ev.SetText(event.FieldEventReason, event.CloseHeartbeatTimeout.Reason)
	s.emit(ev)
}

// onPing answers a ping of the client. The read goroutine calls it.
func (c *conn) onPing(data string) error {
	c.alive()
	c.follow(ops.DirIn, "ping", len(data))
	c.send(frame{op: websocket.PongMessage, data: []byte(data)})
	return nil
}

// onPong takes a pong: the answer to a ping of ours, or a mere sign of life. The read goroutine calls it.
func (c *conn) onPong(data string) error {
	c.alive()
	c.follow(ops.DirIn, "pong", len(data))
	n, err := strconv.ParseUint(data, 10, 32)
	if err != nil {
		return nil //nolint:nilerr // RFC 6455 allows a pong that nobody asked for
	}
	now := c.s.clock()
	c.mu.Lock()
	b := &c.beat
	number := uint32(n)
	answer := number > b.answered && number <= b.number
	last := answer && number == b.number && b.sentAt != 0
	if answer {
		b.answered, b.missed, b.lastPong = number, 0, now
	}
	if last {
		b.rtt = now - b.sentAt
	}
	rtt := b.rtt
	c.mu.Unlock()
	if last {
		c.s.metrics.rtt.Observe(time.Duration(rtt).Seconds())
	}
	if answer && c.s.debug() {
		ev := c.event(event.ActionHeartbeat)
		ev.SetFloat(event.FieldHeartbeatRTT, milliseconds(rtt))
		ev.SetInt(event.FieldHeartbeatInterval, c.s.conf().Heartbeat.Interval.Milliseconds())
		c.s.emit(ev)
	}
	return nil
}
