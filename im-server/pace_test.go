package imserver

import (
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// line is a simulated peer of one heartbeat: what it is sent arrives in order, each pong after a delay.
type line struct {
	b       heartbeat
	p       pace
	now     int64
	lastRx  int64
	pongs   []comingPong
	visits  int64
	answers bool // the peer answers pings
	dead    bool
}

type comingPong struct {
	at     int64
	number uint32
}

func newLine(p pace, first int64) *line {
	l := &line{p: p, answers: true}
	l.b.begin(&l.p, first)
	return l
}

// step goes on to the next thing that happens: a pong that arrives, or a visit of the wheel, late by lag.
func (l *line) step(lag int64, delay func() int64, spread float64) {
	due := min(l.b.next, l.lastRx+l.p.timeout) + lag
	if len(l.pongs) > 0 && l.pongs[0].at <= due {
		l.now = max(l.now, l.pongs[0].at)
		l.lastRx = l.now
		l.b.pong(&l.p, l.pongs[0].number, l.now)
		l.pongs = l.pongs[1:]
		return
	}
	l.now = max(l.now, due)
	l.visits++
	if l.now >= l.b.next {
		l.b.miss()
	}
	if l.dead = l.b.dead(&l.p, l.now-l.lastRx); l.dead || l.now < l.b.next {
		return
	}
	l.b.ping(&l.p, l.now, spread)
	if l.b.timed == l.b.number {
		l.b.sentAt = l.now
	}
	if l.answers {
		at := l.now + delay()
		if n := len(l.pongs); n > 0 {
			at = max(at, l.pongs[n-1].at)
		}
		l.pongs = append(l.pongs, comingPong{at, l.b.number})
	}
}

func drawPace(t *rapid.T) pace {
	h := defaultHeartbeat()
	if rapid.Bool().Draw(t, "other configuration") {
		h.Interval = time.Duration(rapid.IntRange(1, 120).Draw(t, "interval")) * time.Second
		h.Min = time.Duration(rapid.IntRange(0, 120).Draw(t, "min")) * time.Second
		h.Max = h.Min + time.Duration(rapid.IntRange(0, 240).Draw(t, "max"))*time.Second
		h.MaxMissed = rapid.IntRange(2, 5).Draw(t, "misses")
		h.Timeout = h.Interval * time.Duration(rapid.IntRange(3, 5).Draw(t, "timeout"))
	}
	var v faults
	if h.validate(&v); len(v) != 0 {
		t.Fatal(v)
	}
	return h.pace()
}

// tolerated is the round trip that a connection is never ended for: what docs/im-server.md says.
func (p *pace) tolerated(tick int64) int64 {
	after := max(p.base/2, p.least)
	return min(p.least+int64(p.maxMissed-1)*after, p.timeout-p.most) - 2*tick
}

// TestHealthyPeerIsNeverEnded: whatever the round trips, as long as none is longer than what is tolerated.
func TestHealthyPeerIsNeverEnded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPace(t)
		tick := p.least / 30
		most := p.tolerated(tick)
		if most <= 0 {
			t.Skip("the timeout leaves no room")
		}
		l := newLine(p, rapid.Int64Range(0, p.base).Draw(t, "first"))
		worst := rapid.Int64Range(0, most).Draw(t, "worst")
		least := rapid.Int64Range(0, worst).Draw(t, "least")
		delay := func() int64 { return rapid.Int64Range(least, worst).Draw(t, "delay") }
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			l.step(rapid.Int64Range(0, tick).Draw(t, "lag"), delay, rapid.Float64Range(0, 1).Draw(t, "spread"))
			if l.dead {
				t.Fatalf("ended at %v with round trips up to %v, %d missed: %+v", time.Duration(l.now), time.Duration(worst), l.b.missed, l.b)
			}
			if l.b.waited < p.least || l.b.waited > p.most {
				t.Fatalf("waits %v, out of %v to %v", time.Duration(l.b.waited), time.Duration(p.least), time.Duration(p.most))
			}
		}
	})
}

// TestDeadPeerIsEndedInTime: however long all went well, the end comes in the time that is stated, for one that is silent
// and for one that talks and answers no ping.
func TestDeadPeerIsEndedInTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPace(t)
		tick := p.least / 30
		l := newLine(p, rapid.Int64Range(0, p.base).Draw(t, "first"))
		worst := min(p.base/12, p.tolerated(tick))
		if worst <= 0 {
			t.Skip("the timeout leaves no room")
		}
		lag := func() int64 { return rapid.Int64Range(0, tick).Draw(t, "lag") }
		delay := func() int64 { return rapid.Int64Range(0, worst).Draw(t, "delay") }
		for range rapid.IntRange(0, 100).Draw(t, "good steps") {
			l.step(lag(), delay, rapid.Float64Range(0, 1).Draw(t, "spread"))
		}
		talks := rapid.Bool().Draw(t, "talks")
		l.answers, l.pongs = false, nil
		died := max(l.b.lastPong, l.lastRx)
		if talks {
			l.lastRx = 1 << 61
			died = l.now
		}
		missedBefore := l.b.missed
		for !l.dead {
			l.step(lag(), delay, rapid.Float64Range(0, 1).Draw(t, "spread"))
		}
		after := max(p.base/2, p.least)
		bound := 2*p.base + int64(p.maxMissed-1)*after + int64(p.maxMissed+2)*tick
		if !talks {
			bound = min(bound, p.timeout+2*tick)
		}
		if took := l.now - died; took > bound {
			t.Fatalf("the end came after %v, later than %v; %d missed before, %+v", time.Duration(took), time.Duration(bound), missedBefore, l.b)
		}
	})
}

// TestPongIsWaitedForThreeRoundTrips: once the round trip is known, whatever the state.
func TestPongIsWaitedForThreeRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPace(t)
		l := newLine(p, 0)
		rtt := rapid.Int64Range(0, p.most).Draw(t, "rtt")
		for range 100 {
			l.step(0, func() int64 { return rtt }, rapid.Float64Range(0, 1).Draw(t, "spread"))
			if l.dead {
				return // longer than what is tolerated
			}
			if l.b.smooth > 0 && l.b.number == l.b.answered+1 && len(l.pongs) == 1 && l.pongs[0].at == l.now+rtt && l.b.waited < min(3*l.b.smooth, p.most) {
				t.Fatalf("waits %v with a round trip of %v", time.Duration(l.b.waited), time.Duration(l.b.smooth))
			}
		}
	})
}

// TestIntervalFollowsThePongs: shorter at a jump and after a miss, slowly back when all is well.
func TestIntervalFollowsThePongs(t *testing.T) {
	t.Parallel()
	h := defaultHeartbeat()
	p := h.pace()
	l := newLine(p, 0)
	rtt := int64(50 * time.Millisecond)
	pings := func(n uint32) {
		for until := l.b.answered + n; l.b.answered < until; {
			l.step(0, func() int64 { return rtt }, 0)
		}
	}
	pings(20)
	if l.b.every != p.base || l.b.current(&p) != beatHealthy {
		t.Fatalf("a healthy connection has %v, %v", time.Duration(l.b.every), beatStateNames[l.b.current(&p)])
	}
	rtt = int64(2 * time.Second)
	pings(1)
	if l.b.every != p.base/2 || l.b.current(&p) != beatDegraded || l.b.next > l.now+p.base/2 {
		t.Errorf("after a jump: %v, next in %v", time.Duration(l.b.every), time.Duration(l.b.next-l.now))
	}
	rtt = int64(40 * time.Second)
	pings(1)
	if l.b.every != p.base/4 {
		t.Errorf("after a miss: %v", time.Duration(l.b.every))
	}
	rtt = int64(50 * time.Millisecond)
	pings(1)
	before := l.b.every
	pings(1)
	if gain := l.b.every - before; gain != p.base/8 {
		t.Errorf("a good pong gives %v", time.Duration(gain))
	}
	pings(60)
	if l.b.every != p.base || l.b.current(&p) != beatHealthy || l.b.waited > 3*p.base/2 {
		t.Errorf("it does not come back: %+v", l.b)
	}
}

func TestFixedInterval(t *testing.T) {
	t.Parallel()
	h := HeartbeatConfig{Interval: 7 * time.Second, Timeout: time.Minute, MaxMissed: 3}
	p := h.pace()
	l := newLine(p, 0)
	rapid.Check(t, func(t *rapid.T) {
		for range 50 {
			l.step(0, func() int64 { return rapid.Int64Range(0, int64(9*time.Second)).Draw(t, "delay") }, rapid.Float64Range(0, 1).Draw(t, "spread"))
			if l.b.waited != int64(7*time.Second) {
				t.Fatalf("waits %v", time.Duration(l.b.waited))
			}
		}
	})
}

// TestDrainMark compares with the plain meaning: how long ago something was last seen to be taken.
func TestDrainMark(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var d drainMark
		now, taken, since, waiting := int64(1), uint64(0), int64(0), false
		for range rapid.IntRange(1, 100).Draw(t, "looks") {
			now += rapid.Int64Range(1, 1000).Draw(t, "gap")
			more := rapid.Uint64Range(0, 2).Draw(t, "taken")
			waits := rapid.SampledFrom([]int{0, trifle, trifle + 1, 1 << 20}).Draw(t, "waits")
			taken += more
			if waits <= trifle || !waiting || more > 0 {
				since = now
			}
			waiting = waits > trifle
			want := now - since
			if got := d.look(now, waits, taken); got != want {
				t.Fatalf("still for %d, want %d", got, want)
			}
		}
	})
}

// TestHeartbeatMemory counts what each connection takes for its heartbeat: docs/im-server.md says it.
func TestHeartbeatMemory(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(heartbeat{}) + unsafe.Sizeof(wheelEntry{}); n > 160 {
		t.Errorf("%d bytes", n)
	}
}
