package imserver

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/ops"
)

// beginBeat puts a new connection on the wheel. Its first ping comes after a part of the interval that differs from one
// connection to the next, so that those who come together are not pinged together.
func (s *Server) beginBeat(c *conn) {
	now, p := s.clock(), s.conf().Heartbeat.pace()
	first := now + rand.Int64N(p.base) //nolint:gosec // a spread, not a secret
	c.mu.Lock()
	c.beat.begin(&p, first)
	c.turnState(beatNew)
	c.mu.Unlock()
	s.wheel.add(&c.place, c, earlier(first, s.expiry(c)))
}

// endBeat takes a connection from the wheel.
func (s *Server) endBeat(c *conn) {
	s.wheel.remove(&c.place)
	c.mu.Lock()
	c.turnState(beatNone)
	c.mu.Unlock()
}

// turnState notes the state of the heartbeat. c.mu is held.
func (c *conn) turnState(to beatState) {
	c.s.metrics.beat.move(c.beat.state, to)
	c.beat.state = to
}

// visit is what the wheel does with a connection: it notes a missed pong, ends a dead connection, sends the next ping,
// and gives the time of the next visit.
func (c *conn) visit(now int64) (due int64) {
	p := c.s.conf().Heartbeat.pace()
	v := c.judge(&p, now)
	if v.ending {
		return v.due
	}
	if v.missed {
		c.s.metrics.beat.missed.Inc()
		c.logHeartbeat(event.ActionHeartbeatMissed, &v)
	}
	switch {
	case v.dead:
		c.logHeartbeat(event.ActionHeartbeatTimeout, &v)
		c.end(event.CloseHeartbeatTimeout, 0, nil)
	case v.stall != nil && c.end(event.CloseSlowConsumer, 0, v.stall):
		c.s.metrics.beat.stalled.Inc()
	}
	if again := c.sess.retry(now); again != 0 {
		v.due = min(v.due, again)
	}
	if over := c.s.stay(c, now); over != 0 {
		v.due = min(v.due, over)
	}
	return v.due
}

// verdict is what a visit finds.
type verdict struct {
	ending bool // it is ending already
	missed bool
	dead   bool
	stall  error     // why the client is given up though it is there
	beat   heartbeat // after it
	waited int64     // interval that ended with it
	at     evidence
	due    int64 // next visit
}

// judge looks at a connection and pings it when that is due.
func (c *conn) judge(p *pace, now int64) (v verdict) {
	silent := now - c.lastRx.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending.begun {
		return verdict{ending: true, due: now + p.base}
	}
	b := &c.beat
	b.every = min(max(b.every, p.least), p.base) // the configuration may have changed
	v.waited = b.waited
	pings := now >= b.next
	v.missed = pings && b.miss()
	v.dead = b.dead(p, silent)
	v.stall = c.lookAtDrain(p, now)
	if v.missed || v.dead {
		v.at = c.evidence(now)
	}
	if pings && !v.dead && v.stall == nil {
		c.s.metrics.beat.late.Observe(time.Duration(now - b.next).Seconds())
		c.s.metrics.beat.every.Observe(time.Duration(b.waited).Seconds())
		b.ping(p, now, rand.Float64()) //nolint:gosec // a spread, not a secret
		c.push(frame{op: websocket.PingMessage, data: c.pingText(nil, b.number)})
	}
	c.turnState(b.current(p))
	v.beat = *b
	v.due = min(b.next, now-silent+p.timeout)
	if end := b.drain.at + p.stall; b.drain.at != 0 && end > now {
		v.due = min(v.due, end)
	}
	return v
}

// lookAtDrain finds the client that is there and takes nothing: bytes wait, in our queue or in the socket, none was
// taken for too long, and pongs or the acknowledgements of its TCP say that this is not the network's doing. c.mu is held.
func (c *conn) lookAtDrain(p *pace, now int64) error {
	b := &c.beat
	there := b.missed == 0 && b.lastPong != 0
	waits, taken := c.out.bytes, uint64(c.bytesOut.Load()) //nolint:gosec // a count is not negative
	st, ok := readSocket(c.nc)
	if ok {
		waits, taken = waits+st.unsent, st.acked
	}
	still := b.drain.look(now, waits, taken)
	if ok {
		there = st.ackAge < max(still, int64(time.Second))
	}
	if p.stall == 0 || still < p.stall || !there {
		return nil
	}
	return &stallError{waits: waits, still: time.Duration(still)}
}

// stallError is the end of a client that is there and takes nothing.
type stallError struct {
	waits int
	still time.Duration
}

func (e *stallError) Error() string {
	return fmt.Sprintf("nothing of %d bytes was taken for %v, though the client is there", e.waits, e.still.Round(time.Millisecond))
}

func (c *conn) logHeartbeat(a event.Action, v *verdict) {
	ev := c.event(a)
	ev.SetInt(event.FieldHeartbeatMissed, int64(v.beat.missed))
	ev.SetInt(event.FieldHeartbeatInterval, v.waited/int64(time.Millisecond))
	if v.beat.rtt > 0 {
		ev.SetFloat(event.FieldHeartbeatRTT, milliseconds(v.beat.rtt))
	}
	v.at.describe(ev)
	ev.SetInt(event.FieldMessageUnacked, c.sess.unacked())
	ev.SetText(event.FieldEventReason, event.CloseHeartbeatTimeout.Reason)
	c.s.emit(ev)
}

// evidence is the state of the connection now. c.mu is held.
func (c *conn) evidence(now int64) evidence {
	at := evidence{rxAge: now - c.lastRx.Load(), pongAge: c.beat.pongAge(now), queueAge: c.out.age(now), queueBytes: c.out.bytes}
	if c.beat.missed > 0 || c.beat.drain.at != 0 { // what the socket holds waits for the client as well
		if st, ok := readSocket(c.nc); ok {
			at.queueBytes += st.unsent
		}
		if c.beat.drain.at != 0 {
			at.queueAge = max(at.queueAge, now-c.beat.drain.at)
		}
	}
	return at
}

// pingText appends what a ping carries: its number, and a mark that cannot be guessed, so that its pong proves that it
// was read.
func (c *conn) pingText(dst []byte, number uint32) []byte {
	dst = strconv.AppendUint(dst, uint64(number), 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, c.pingMark(number), 36)
}

func (c *conn) pingMark(number uint32) uint64 {
	return maphash.Comparable(c.s.seed, pingKey{c.id, number}) >> 24
}

type pingKey struct {
	conn   string
	number uint32
}

// readPong gives the number of a ping that a pong answers; false: it is no answer to a ping of ours.
func (c *conn) readPong(data string) (number uint32, ok bool) {
	text, mark, _ := strings.Cut(data, ".")
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, false
	}
	m, err := strconv.ParseUint(mark, 36, 64)
	return uint32(n), err == nil && m == c.pingMark(uint32(n))
}

// onPing answers a ping of the client. The read goroutine calls it.
func (c *conn) onPing(data []byte) {
	c.follow(ops.DirIn, "ping", len(data))
	c.send(frame{op: websocket.PongMessage, data: slices.Clone(data)})
}

// onPong takes a pong: the answer to a ping of ours, or a mere sign of life, as RFC 6455 allows. The read goroutine calls
// it.
func (c *conn) onPong(data []byte) {
	c.follow(ops.DirIn, "pong", len(data))
	number, ok := c.readPong(string(data))
	if !ok {
		return
	}
	now, p := c.s.clock(), c.s.conf().Heartbeat.pace()
	c.mu.Lock()
	b := &c.beat
	before := b.next
	rtt, answer := b.pong(&p, number, now)
	next, waited, last := b.next, b.waited, b.rtt
	if answer && !c.ending.begun {
		b.drain.stalled = false
		c.turnState(b.current(&p))
	}
	c.mu.Unlock()
	if next < before {
		c.s.wheel.sooner(&c.place, next)
	}
	if rtt > 0 {
		c.s.metrics.beat.rtt.Observe(time.Duration(rtt).Seconds())
	}
	if answer && c.s.debug() {
		ev := c.event(event.ActionHeartbeat)
		if last > 0 {
			ev.SetFloat(event.FieldHeartbeatRTT, milliseconds(last))
		}
		ev.SetInt(event.FieldHeartbeatInterval, waited/int64(time.Millisecond))
		c.s.emit(ev)
	}
}
