package sim

import (
	"fmt"
	"time"

	"imwatch/event"
)

// maxUsers is how many normal clients have addresses of their own: 10.0.0.0/9 when generated.
const maxUsers = 1 << 22

// maxTroubleAddresses is how many addresses one trouble has: 203.0.113.0/24 less its ends.
const maxTroubleAddresses = 250

// user is one generated client and what it remembers of its last connection.
type user struct {
	id, device, ip           string
	platform, version, agent string
	port                     int64
	prev                     event.CloseReason
	prevLife                 time.Duration
	session                  string
	lostAt                   time.Time
	once                     bool // does not come back
}

// conn is one generated connection.
type conn struct {
	user      *user
	node      *node
	slot      int // place in node.conns
	id, trace string
	span      string // of the upgrade request
	session   string
	since     time.Time
	lastRead  time.Time // set when the client falls silent
	missed    int64
	ended     bool
}

// platform is what a client says of itself.
type platform struct{ name, version, agent string }

func platforms() []platform {
	return []platform{
		{"ios", "8.2.1", "im-client/8.2.1 (iOS 19.1)"},
		{"android", "8.2.0", "im-client/8.2.0 (Android 16)"},
		{"android", "8.1.4", "im-client/8.1.4 (Android 14)"},
		{"web", "8.2.1", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36"},
		{"desktop", "8.2.1", "im-client/8.2.1 (Windows 11)"},
	}
}

func (g *generator) newUser(i int) *user {
	return g.client(fmt.Sprintf("u-%06d", i+1), fmt.Sprintf("10.%d.%d.%d", i/62500, i/250%250, 1+i%250))
}

func (g *generator) client(id, ip string) *user {
	all := platforms()
	p := all[g.rng.IntN(len(all))]
	return &user{
		id: id, device: "d-" + g.hex(8), ip: ip, platform: p.name, version: p.version, agent: p.agent,
		port: 20000 + g.rng.Int64N(40000),
	}
}

// comeOnline connects a normal client to any node that takes it, and plans how the connection ends.
func (g *generator) comeOnline(u *user) {
	up := g.nodesUp()
	if len(up) == 0 {
		g.after(g.between(time.Second, 5*time.Second), func() { g.comeOnline(u) })
		return
	}
	c := g.connect(u, up[g.rng.IntN(len(up))])
	if g.scenario.Life == 0 {
		return
	}
	// Most lives are longer than what the contract calls short; the spread keeps clients apart.
	life := 35*time.Second + g.around(max(0, g.scenario.Life-35*time.Second))
	reason := g.usualEnd()
	g.after(life, func() {
		if !c.ended && c.lastRead.IsZero() {
			g.disconnect(c, reason)
			g.comeBack(u, g.around(20*time.Second))
		}
	})
}

// comeBack plans the next connection after what the client's back-off adds.
func (g *generator) comeBack(u *user, pause time.Duration) {
	if u.once {
		return
	}
	u.port = 20000 + g.rng.Int64N(40000)
	g.after(pause+g.between(100*time.Millisecond, time.Second), func() { g.comeOnline(u) })
}

// usualEnd draws the way in which a healthy connection ends.
func (g *generator) usualEnd() event.CloseReason {
	switch p := g.rng.IntN(100); {
	case p < 55:
		return event.CloseNormal
	case p < 80:
		return event.CloseGoingAway
	case p < 85:
		return event.CloseLogout
	case p < 95:
		return event.CloseClientGone
	case p < 99:
		return event.ClosePeerReset
	default:
		return event.CloseNetTimeout
	}
}

func (g *generator) connect(u *user, n *node) *conn {
	g.serial++
	c := &conn{
		user: u, node: n, slot: len(n.conns), id: fmt.Sprintf("c-%s-%06x", n.boot, g.serial), trace: g.traceID(), since: g.now,
		session: u.session, span: g.hex(16),
	}
	resumed := u.session != "" && u.prev.Retry == event.RetryResume && g.now.Sub(u.lostAt) < 5*time.Minute
	if !resumed {
		c.session = "s-" + g.hex(12)
	}
	u.session = c.session
	n.conns = append(n.conns, c)
	g.owed++
	g.connectLine(c, resumed)
	if resumed {
		g.resumeLine(c)
	}
	return c
}

// drop takes the connection off its node's list.
func (c *conn) drop() {
	list := c.node.conns
	last := list[len(list)-1]
	list[c.slot], last.slot = last, c.slot
	list[len(list)-1] = nil
	c.node.conns = list[:len(list)-1]
	c.ended = true
}

// disconnect writes the end of a connection. Calling it twice is a fault of the generator.
func (g *generator) disconnect(c *conn, r event.CloseReason) {
	c.drop()
	g.owed--
	g.disconnectLine(c, r)
	g.remember(c, r, g.now)
}

func (g *generator) remember(c *conn, r event.CloseReason, at time.Time) {
	u := c.user
	u.prev, u.prevLife, u.lostAt = r, at.Sub(c.since), at
}
