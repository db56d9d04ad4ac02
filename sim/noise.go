package sim

import (
	"fmt"
	"time"

	"imwatch/event"
)

// planNoise plans what goes wrong in every healthy fleet now and then. The rates are of the whole fleet, whatever its
// size, and far below what any rule should speak of.
func (g *generator) planNoise() {
	strangers := 0
	g.every(20*time.Second, func(n *node) {
		strangers++
		u := g.client(fmt.Sprintf("x-%05d", strangers), fmt.Sprintf("100.64.%d.%d", strangers/250%250, 1+strangers%250))
		g.handshakeFailure(n, u, g.usualFailure())
	})
	g.every(2*time.Minute, func(n *node) { g.onSome(n, g.fallSilent) })
	g.every(2*time.Minute, func(n *node) { g.onSome(n, func(c *conn) { g.messageLine(c, event.ActionMessageFailed) }) })
	g.every(time.Minute, func(n *node) { g.onSome(n, func(c *conn) { g.messageLine(c, event.ActionMessageRejected) }) })
	g.every(2*time.Minute, func(n *node) { g.onSome(n, g.slowDown) })
}

// every calls f with any node that is up, at random moments the mean d apart.
func (g *generator) every(d time.Duration, f func(*node)) {
	g.plan.add(g.now.Add(time.Second+g.around(d)), func() {
		if up := g.nodesUp(); len(up) > 0 {
			f(up[g.rng.IntN(len(up))])
		}
		g.every(d, f)
	})
}

// onSome calls f with a connection of the node that is well, if there is one.
func (g *generator) onSome(n *node, f func(*conn)) {
	if len(n.conns) == 0 {
		return
	}
	if c := n.conns[g.rng.IntN(len(n.conns))]; c.lastRead.IsZero() {
		f(c)
	}
}

func (g *generator) usualFailure() event.HandshakeReason {
	usual := []event.HandshakeReason{
		event.HandshakeTokenExpired, event.HandshakeTokenExpired, event.HandshakeTokenExpired, event.HandshakeTokenMissing,
		event.HandshakeBadUpgrade, event.HandshakeOriginDenied, event.HandshakeUnsupportedVersion, event.HandshakeTimeout,
	}
	return usual[g.rng.IntN(len(usual))]
}

// fallSilent makes a client stop answering: the server misses pongs, gives up and ends the connection.
func (g *generator) fallSilent(c *conn) {
	c.lastRead = g.now
	ifOpen := func(d time.Duration, do func()) {
		g.after(d, func() {
			if !c.ended {
				do()
			}
		})
	}
	miss := func() {
		c.missed++
		g.heartbeatLine(c, event.ActionHeartbeatMissed)
	}
	every, limit := g.scenario.heartbeat(), g.scenario.heartbeatLimit()
	// Pings have a rhythm of their own: a pong is missed one interval after the first ping that comes into the silence.
	for d := every + g.between(time.Millisecond, every-time.Millisecond); d < limit; d += every {
		ifOpen(d, miss)
	}
	ifOpen(limit, func() { g.heartbeatLine(c, event.ActionHeartbeatTimeout) })
	ifOpen(limit+time.Millisecond, func() {
		g.disconnect(c, event.CloseHeartbeatTimeout)
		g.comeBack(c.user, g.around(30*time.Second))
	})
}

// slowDown makes a client's queue grow over its limit and back.
func (g *generator) slowDown(c *conn) {
	line := func(a event.Action, depth int64) {
		g.begin(c.node, a)
		g.of(c)
		g.ev.SetInt(event.FieldQueueDepth, depth)
		g.ev.SetInt(event.FieldQueueBytes, depth*420)
		g.ev.SetInt(event.FieldQueueAge, depth*2)
		g.write()
	}
	line(event.ActionSlowConsumer, 256+g.rng.Int64N(64))
	g.after(g.between(time.Second, 8*time.Second), func() {
		if !c.ended {
			line(event.ActionSlowConsumerRecover, g.rng.Int64N(16))
		}
	})
}

func (g *generator) messageLine(c *conn, a event.Action) {
	g.begin(c.node, a)
	g.of(c)
	e := &g.ev
	e.SetText(event.FieldParentID, c.span)
	e.SetText(event.FieldMessageID, "m-"+g.hex(12))
	e.SetInt(event.FieldMessageBytes, 20+g.rng.Int64N(400))
	e.SetText(event.FieldTopicKind, "private")
	if a.Code == event.ActionMessageFailed.Code {
		e.SetText(event.FieldMessageDirection, "out")
		e.SetText(event.FieldEventReason, "no_ack")
		e.SetInt(event.FieldMessageAttempt, 3)
	} else {
		e.SetText(event.FieldMessageDirection, "in")
		e.SetText(event.FieldEventReason, "bad_frame")
	}
	g.write()
}
