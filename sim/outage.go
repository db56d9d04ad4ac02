package sim

import (
	"time"

	"imwatch/event"
)

// stopInOrder drains a node over a few seconds; it may come back.
func (g *generator) stopInOrder(t Trouble) {
	n := g.nodes[t.Node]
	g.label(t.benignLabel(g.now))
	if !n.up || n.draining {
		return
	}
	g.drainNode(n)
	leaving := append([]*conn(nil), n.conns...)
	for i, at := range spread(len(leaving), drainTime) {
		g.after(at, func() {
			if c := leaving[i]; !c.ended {
				g.disconnect(c, event.CloseDrain)
				g.comeBack(c.user, 0)
			}
		})
	}
	g.after(drainTime, func() { g.stopNode(n) })
	if t.For > 0 {
		g.after(max(t.For, drainTime+time.Second), func() { g.startNode(n) })
	}
}

// kill makes a node die without a word. Its clients notice at once; the other nodes when its lease runs out.
func (g *generator) kill(t Trouble) {
	n := g.nodes[t.Node]
	if !n.up || n.draining {
		return
	}
	n.up = false
	n.life++ // what it planned does not happen
	g.owed -= 2
	lost := append([]*conn(nil), n.conns...)
	boot, died := n.boot, g.now
	for _, c := range lost {
		c.drop()
		g.remember(c, event.ClosePeerReset, g.now)
		g.comeBack(c.user, 0)
	}
	g.after(leaseLife, func() {
		writer := g.anyNode()
		for _, c := range lost {
			g.orphanLine(writer, c, boot)
		}
		g.label(burstLabel(len(lost), died, g.now))
		g.label(deathLabel(n.name, len(lost), died, g.now))
	})
	if t.For > 0 {
		g.after(max(t.For, leaseLife), func() { g.startNode(n) })
	}
}

// orphanLine is the end of a connection whose node died, written by another one.
func (g *generator) orphanLine(writer *node, c *conn, boot string) {
	g.begin(writer, event.ActionOrphaned)
	writer.seq-- // its id is not of the writer's sequence
	g.owed--
	g.of(c)
	e := &g.ev
	e.SetText(event.FieldEventID, "orphaned-"+c.id)
	e.SetText(event.FieldConnNode, c.node.name)
	e.SetText(event.FieldConnBoot, boot)
	e.SetText(event.FieldEventReason, event.CloseOrphaned.Reason)
	e.SetText(event.FieldCloseReason, event.CloseOrphaned.Reason)
	e.SetText(event.FieldCloseInitiator, event.CloseOrphaned.Initiator)
	e.SetText(event.FieldCloseRetry, event.CloseOrphaned.Retry)
	e.SetInt(event.FieldEventDuration, int64(g.now.Sub(c.since)))
	g.write()
}
