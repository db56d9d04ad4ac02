package imserver

import "time"

// heartbeat is what a connection knows of its pings. Guarded by the connection's mu; times are of the server's clock.
type heartbeat struct {
	next     int64 // when the next ping is due
	every    int64 // interval that its pongs have earned it
	waited   int64 // from the last ping to next
	sentAt   int64 // when the timed ping was written; 0: it was not yet
	lastPong int64 // 0: none yet
	rtt      int64 // of the last answer that was timed
	smooth   int64 // SRTT of RFC 6298; 0: nothing was timed yet
	varies   int64 // RTTVAR
	drain    drainMark
	number   uint32 // of the last ping, from 1
	answered uint32 // highest number that came back
	timed    uint32 // the one ping whose round trip is measured; 0: none
	missed   int32  // in a row
	state    beatState
}

// beatState says how a connection's heartbeat is.
type beatState uint8

const (
	beatNone     beatState = iota // not on the wheel
	beatNew                       // no ping was answered yet
	beatHealthy                   // pongs come as they should
	beatDegraded                  // they come, but have been late: pings are more frequent
	beatLate                      // a pong is missed
	beatStalled                   // what is sent is not taken
	beatStates
)

var beatStateNames = [beatStates]string{"", "new", "healthy", "degraded", "late", "stalled"}

// granularity is the least change of a round trip that counts: what is below is noise.
const granularity = 200 * time.Millisecond

// begin sets a new connection's first ping.
func (b *heartbeat) begin(p *pace, next int64) {
	b.every, b.next, b.waited = p.base, next, p.base
}

// miss notes, when the next ping is due, whether the pong of the last has not come.
func (b *heartbeat) miss() bool {
	if b.number == b.answered {
		return false
	}
	b.missed++
	return true
}

// ping numbers the ping that is sent now, and sets when the next is due. spread, from 0 to 1, draws the connections apart.
func (b *heartbeat) ping(p *pace, now int64, spread float64) {
	b.number++
	if b.timed == 0 {
		b.timed, b.sentAt = b.number, 0
	}
	b.waited = b.wait(p, spread)
	b.next = now + b.waited
}

// wait gives the time from a ping to the next, which is the time that its pong has: as earned, an eighth less at most to
// draw connections apart, but three round trips and all of RFC 6298's time-out. Once a pong is missed it is half the
// base, for healthy connections to know sooner and for shaky ones not to be given up in haste.
func (b *heartbeat) wait(p *pace, spread float64) int64 {
	w := b.every
	if b.missed > 0 {
		w = p.base / 2
	} else {
		w -= int64(float64(w/8) * spread)
	}
	w = max(w, 3*b.smooth, b.smooth+4*b.varies)
	return min(max(w, p.least), p.most)
}

// pong takes the answer to a ping: its round trip, 0 if it was not measured, and false if the number was not waited for.
func (b *heartbeat) pong(p *pace, number uint32, now int64) (rtt int64, ok bool) {
	if number <= b.answered || number > b.number {
		return 0, false
	}
	worse := b.missed > 0
	b.answered, b.missed, b.lastPong = number, 0, now
	if b.timed != 0 && number >= b.timed {
		if number == b.timed && b.sentAt != 0 {
			rtt = now - b.sentAt
			worse = b.sample(rtt) || worse
		}
		b.timed = 0
	}
	if !worse {
		b.every = min(b.every+p.base/8, p.base)
		return rtt, true
	}
	b.every = max(b.every/2, p.least)
	if b.number == b.answered { // else the wait for the last one has begun and goes on
		if w := b.wait(p, 0); now+w < b.next {
			b.next, b.waited = now+w, w
		}
	}
	return rtt, true
}

// sample takes a round trip into the smoothed one, as RFC 6298 does, and says whether it is far beyond it.
func (b *heartbeat) sample(rtt int64) (jump bool) {
	b.rtt = rtt
	if b.smooth == 0 {
		b.smooth, b.varies = max(rtt, 1), rtt/2
		return false
	}
	jump = rtt > b.smooth+max(4*b.varies, int64(granularity))
	off := b.smooth - rtt
	if off < 0 {
		off = -off
	}
	b.varies += (off - b.varies) / 4
	b.smooth = max(b.smooth+(rtt-b.smooth)/8, 1)
	return jump
}

// dead says whether the connection is to be given up, silent being the time since anything was heard.
func (b *heartbeat) dead(p *pace, silent int64) bool {
	return int(b.missed) >= p.maxMissed || silent >= p.timeout
}

// pongAge is how long ago the last pong came; -1: none did.
func (b *heartbeat) pongAge(now int64) int64 {
	if b.lastPong == 0 {
		return -1
	}
	return now - b.lastPong
}

// current gives the state that the numbers say.
func (b *heartbeat) current(p *pace) beatState {
	switch {
	case b.drain.stalled:
		return beatStalled
	case b.missed > 0:
		return beatLate
	case b.lastPong == 0:
		return beatNew
	case b.every < p.base:
		return beatDegraded
	}
	return beatHealthy
}

// drainMark is the last time that a client was seen to take something of what waited for it.
type drainMark struct {
	at      int64  // 0: nothing waits
	taken   uint64 // by then
	stalled bool   // nothing was taken between two looks
}

// trifle is how many bytes may wait without a meaning: pings.
const trifle = 512

// look compares with the look before, and gives for how long nothing was taken.
func (d *drainMark) look(now int64, waits int, taken uint64) int64 {
	switch {
	case waits <= trifle:
		*d = drainMark{}
	case d.at == 0 || taken != d.taken:
		*d = drainMark{at: max(now, 1), taken: taken}
	default:
		d.stalled = true
		return now - d.at
	}
	return 0
}
