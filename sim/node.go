package sim

import (
	"fmt"
	"time"

	"imwatch/event"
)

// node is one generated IM server.
type node struct {
	name, zone, boot string
	seq              int64
	life             int // counts its starts, so that what a former life planned does not happen
	up               bool
	draining         bool
	conns            []*conn
}

func (g *generator) startNode(n *node) {
	if n.life == 0 {
		g.owed-- // owed from the beginning
	} else {
		g.owed += 2
	}
	// As an IM server names its lives: ids of a later one sort after those of an earlier one.
	n.boot, n.seq = fmt.Sprintf("%011x%s", g.now.UnixMilli(), g.hex(4)), 0
	n.life++
	n.up, n.draining = true, false
	life := n.life
	g.begin(n, event.ActionServerStart)
	g.write()
	var stats, health func()
	stats = func() {
		if n.up && n.life == life {
			g.stats(n)
			g.after(statsEvery, stats)
		}
	}
	health = func() {
		if n.up && n.life == life {
			g.request(n, "/healthz", 200)
			g.after(healthEvery, health)
		}
	}
	g.after(statsEvery, stats)
	g.after(g.between(time.Second, healthEvery), health)
}

func (g *generator) stats(n *node) {
	g.begin(n, event.ActionConnectionStats)
	g.ev.SetInt(event.FieldServerConnections, int64(len(n.conns)))
	g.ev.SetInt(event.FieldServerHandshakes, 0)
	chatted := int64(g.scenario.Chat * statsEvery.Seconds() * float64(len(n.conns)))
	g.ev.SetInt(event.FieldServerMessagesIn, chatted)
	g.ev.SetInt(event.FieldServerMessagesOut, chatted)
	g.write()
}

// request is a line of the access log.
func (g *generator) request(n *node, path string, status int64) {
	g.begin(n, event.ActionHTTPRequest)
	if status >= 500 {
		g.ev.SetText(event.FieldLogLevel, event.LevelError)
		g.ev.SetText(event.FieldEventOutcome, event.OutcomeFailure)
	}
	g.ev.SetText(event.FieldClientIP, "10.255.0.1")
	g.ev.SetInt(event.FieldDestinationPort, 9090)
	g.ev.SetText(event.FieldHTTPMethod, "GET")
	g.ev.SetText(event.FieldURLPath, path)
	g.ev.SetInt(event.FieldHTTPStatus, status)
	g.ev.SetText(event.FieldHTTPVersion, "1.1")
	g.ev.SetInt(event.FieldEventDuration, int64(g.between(100*time.Microsecond, 2*time.Millisecond)))
	g.write()
}

func (g *generator) drainNode(n *node) {
	n.draining = true
	g.owed--
	g.begin(n, event.ActionServerDrain)
	g.ev.SetInt(event.FieldServerConnections, int64(len(n.conns)))
	g.write()
}

func (g *generator) stopNode(n *node) {
	n.up = false
	g.owed--
	g.begin(n, event.ActionServerStop)
	g.write()
}

// nodesUp gives the nodes that take connections.
func (g *generator) nodesUp() []*node {
	up := make([]*node, 0, len(g.nodes))
	for _, n := range g.nodes {
		if n.up && !n.draining {
			up = append(up, n)
		}
	}
	return up
}
