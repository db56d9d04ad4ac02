package sim

import (
	"fmt"
	"time"

	"imwatch/event"
)

// trouble makes the i-th trouble of the scenario begin, at the present moment.
func (g *generator) trouble(i int, t Trouble) {
	switch t.Kind {
	case BadTokens:
		g.badTokens(i, t)
	case Silent:
		g.silentClients(i, t)
	case Hammer:
		g.hammer(i, t)
	case Reset:
		g.reset(t)
	case NodeStop:
		g.stopInOrder(t)
	case NodeKill:
		g.kill(t)
	case Errors:
		g.errorRow(t)
	case Panic:
		g.panicLine(t)
	case SharedAddr:
		g.office(i, t)
	}
}

// label notes the truth about a trouble that began at from.
func (g *generator) label(l Label) {
	l.Scenario = g.scenario.Name
	g.labels = append(g.labels, l)
}

// troubleIP gives the n-th address of the i-th trouble: documentation and benchmark ranges, which no user has.
func troubleIP(i, n int) string {
	if i == 0 {
		return fmt.Sprintf("203.0.113.%d", 1+n)
	}
	return fmt.Sprintf("198.18.%d.%d", i%250, 1+n)
}

func (g *generator) anyNode() *node {
	if up := g.nodesUp(); len(up) > 0 {
		return up[g.rng.IntN(len(up))]
	}
	return g.nodes[0]
}

// nodeFor gives the node that a trouble names, or another one while that is down.
func (g *generator) nodeFor(t Trouble) *node {
	if n := g.nodes[t.Node]; n.up && !n.draining {
		return n
	}
	return g.anyNode()
}

func (g *generator) badTokens(i int, t Trouble) {
	for k, at := range spread(t.Count, t.For) {
		u := g.client(fmt.Sprintf("intruder-%d-%03d", i, k), troubleIP(i, k%max(1, t.Addresses)))
		g.after(at, func() { g.handshakeFailure(g.anyNode(), u, t.Reason) })
	}
	g.label(t.badTokensLabel(g.now))
}

func (g *generator) silentClients(i int, t Trouble) {
	n := g.nodeFor(t)
	for k, at := range spread(t.Count, max(t.For, silentRamp)) {
		u := g.client(fmt.Sprintf("silent-%d-%03d", i, k), troubleIP(i, k%maxTroubleAddresses))
		u.once = true
		g.after(at, func() {
			if n.up && !n.draining {
				g.fallSilent(g.connect(u, n))
			}
		})
	}
	g.label(t.silentLabel(g.now, g.scenario.heartbeatLimit(), map[string]string{fieldNode: n.name}))
}

func (g *generator) hammer(i int, t Trouble) {
	n := g.nodeFor(t)
	ip := troubleIP(i, 0)
	for k, at := range spread(int(t.Rate*t.For.Seconds()), t.For) {
		u := g.client(fmt.Sprintf("hammer-%d-%03d", i, k%5), ip)
		g.after(at, func() {
			if !n.up || n.draining {
				return
			}
			c := g.connect(u, n)
			g.after(g.between(5*time.Millisecond, 30*time.Millisecond), func() {
				if !c.ended {
					g.disconnect(c, event.CloseNormal)
				}
			})
		})
	}
	g.label(t.hammerLabel(g.now, ip))
}

// reset ends connections of normal clients all at one moment, and lets them come back as their back-off says.
func (g *generator) reset(t Trouble) {
	var all []*conn
	for _, n := range g.nodes {
		for _, c := range n.conns {
			if c.lastRead.IsZero() && !c.user.once {
				all = append(all, c)
			}
		}
	}
	g.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if t.Count > 0 && t.Count < len(all) {
		all = all[:t.Count]
	}
	for _, c := range all {
		g.disconnect(c, event.ClosePeerReset)
		g.comeBack(c.user, 0)
	}
	g.label(t.benignLabel(g.now))
}

// errorRow writes error lines in groups, with no other line of the node inside a group.
func (g *generator) errorRow(t Trouble) {
	const group = 6
	n := g.nodeFor(t)
	groups := (t.Count + group - 1) / group
	left := t.Count
	for _, at := range spread(groups, t.For) {
		lines := min(group, left)
		left -= lines
		g.after(at, func() {
			for range lines {
				g.begin(n, event.ActionMessageFailed)
				g.ev.SetText(event.FieldEventReason, "dependency")
				g.ev.SetText(event.FieldErrorType, "redis")
				g.ev.SetText(event.FieldErrorMessage, "connection refused")
				g.ev.SetText(event.FieldMessageID, "m-"+g.hex(12))
				g.ev.SetText(event.FieldMessageDirection, "out")
				g.write()
			}
		})
	}
	g.label(rowLabel(n.name, min(t.Count, group), g.now, g.now.Add(t.For)))
	g.label(burstLabel(t.Count, g.now, g.now.Add(t.For)))
}

func (g *generator) panicLine(t Trouble) {
	g.begin(g.nodeFor(t), event.ActionPanic)
	g.ev.SetText(event.FieldErrorType, "runtime.boundsError")
	g.ev.SetText(event.FieldErrorMessage, "index out of range [5] with length 5")
	g.write()
	key := map[string]string{fieldNode: g.ev.Node()}
	g.label(Label{Kind: Anomaly, From: g.now, To: g.now, Key: key, Rules: []string{ruleFatal}, ImpactAt: g.now})
}

// office lets many clients come through one address once, evenly, for at most three minutes each.
func (g *generator) office(i int, t Trouble) {
	ip := troubleIP(i, 0)
	for k, at := range spread(t.Count, t.For) {
		u := g.client(fmt.Sprintf("office-%d-%04d", i, k), ip)
		u.once = true
		g.after(at, func() {
			c := g.connect(u, g.anyNode())
			g.after(g.between(time.Minute, 3*time.Minute), func() {
				if !c.ended {
					g.disconnect(c, event.CloseNormal)
				}
			})
		})
	}
	g.label(t.benignLabel(g.now))
}

// spread gives n moments, evenly over d, the first at 0.
func spread(n int, d time.Duration) []time.Duration {
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = time.Duration(float64(d) / float64(n) * float64(i))
	}
	return at
}
