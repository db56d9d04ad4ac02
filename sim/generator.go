package sim

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"imwatch/event"
)

// What the generated servers are set to, as an IM server's defaults are.
const (
	statsEvery  = 10 * time.Second
	healthEvery = 10 * time.Second
	leaseLife   = 30 * time.Second // after which another node sees that a node died
	drainTime   = 5 * time.Second  // over which a node that stops closes its connections
)

// generator is the state of one Generate call. Fake time goes from step to step.
type generator struct {
	scenario Scenario
	opts     GenerateOptions
	rng      *rand.Rand
	out      *bufio.Writer
	plan     schedule
	now      time.Time
	start    time.Time
	end      time.Time // no step after it but the last drain
	nodes    []*node
	lines    int64
	owed     int64 // lines that must still come: ends of connections, drains and stops of nodes
	actions  map[string]int64
	labels   []Label
	busy     int // troubles under way or to come
	serial   int // numbers connections, so that ids never repeat
	ev       event.Event
	buf      []byte
	err      error
}

func newGenerator(s Scenario, seed uint64, out *bufio.Writer, o GenerateOptions) *generator {
	start := o.Start.UTC()
	if o.Start.IsZero() {
		start = DefaultStart()
	}
	g := &generator{
		// The second word is any constant: one seed is what a user gives.
		scenario: s, opts: o, rng: rand.New(rand.NewPCG(seed, 0x696d7761746368)), out: out, //nolint:gosec // repeatable on purpose
		now: start, start: start, end: start.Add(s.Duration), actions: map[string]int64{},
	}
	for i := range s.Nodes {
		g.nodes = append(g.nodes, &node{name: fmt.Sprintf("im-%d", i+1), zone: fmt.Sprintf("zone-%c", 'a'+i%3)})
	}
	return g
}

func (g *generator) run(ctx context.Context) error {
	g.prepare()
	if need := g.reserved(); g.opts.Count > 0 && g.opts.Count < need+maxStepLines {
		return fmt.Errorf("count is %d, %d nodes need at least %d lines", g.opts.Count, len(g.nodes), need+maxStepLines)
	}
	for n := 0; len(g.plan.steps) > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if g.err != nil {
			return fmt.Errorf("writing events: %w", g.err)
		}
		if g.full() {
			break
		}
		s := g.plan.next()
		at := time.Unix(0, s.at).UTC()
		if g.opts.Count == 0 && at.After(g.end) {
			break
		}
		g.now = at
		s.do()
	}
	if g.busy > 0 {
		return fmt.Errorf("%d lines are reached at %v, with %d of the scenario's troubles not over: raise count, or lower users",
			g.opts.Count, g.now.Sub(g.start).Round(time.Second), g.busy)
	}
	g.finish()
	return g.err
}

// prepare plans what starts everything else.
func (g *generator) prepare() {
	for i, n := range g.nodes {
		g.owed += 3 // its start, drain and stop
		g.plan.add(g.start.Add(time.Duration(i)*time.Millisecond), func() { g.startNode(n) })
	}
	for i := range g.scenario.Users {
		u := g.newUser(i)
		at := time.Second + time.Duration(g.rng.Int64N(int64(max(g.scenario.Ramp, time.Second))))
		g.plan.add(g.start.Add(at), func() { g.comeOnline(u) })
	}
	s := g.scenario
	for i, t := range s.Troubles {
		g.busy++
		g.plan.add(g.start.Add(t.At), func() { g.trouble(i, t) })
		g.plan.add(g.start.Add(t.At+t.lasts(s)), func() { g.busy-- })
	}
	g.planNoise()
}

// maxStepLines is by how much one step makes lines and reserved lines grow at most.
const maxStepLines = 3

// reserved is how many lines there will be when all is put away now.
func (g *generator) reserved() int64 { return g.lines + g.owed }

// full says whether the last drain has to begin for the number of lines to come out as asked.
func (g *generator) full() bool {
	if g.opts.Count == 0 || g.reserved() < g.opts.Count-maxStepLines {
		return false
	}
	for g.reserved() < g.opts.Count {
		g.stats(g.anyNode())
	}
	return true
}

// finish drains every node, so that no connection is left without its end.
func (g *generator) finish() {
	for _, n := range g.nodes {
		if n.up && !n.draining {
			g.drainNode(n)
		}
	}
	g.now = g.now.Add(drainTime)
	for _, n := range g.nodes {
		for len(n.conns) > 0 {
			g.disconnect(n.conns[len(n.conns)-1], event.CloseDrain)
		}
		if n.up {
			g.stopNode(n)
		}
	}
}

func (g *generator) summary() Summary {
	span := Label{Scenario: g.scenario.Name, Kind: Benign, From: g.start, To: g.now}
	return Summary{Lines: g.lines, From: g.start, To: g.now, ByAction: g.actions, Labels: append([]Label{span}, g.labels...)}
}

// after plans a step.
func (g *generator) after(d time.Duration, do func()) { g.plan.add(g.now.Add(d), do) }

// around gives a duration with the mean d, exponentially spread as independent things are.
func (g *generator) around(d time.Duration) time.Duration {
	return time.Duration(min(g.rng.ExpFloat64(), 20) * float64(d))
}

// between gives a duration evenly spread from lo to hi.
func (g *generator) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(g.rng.Int64N(int64(hi-lo)+1))
}

// hex gives n hex digits, at most 16.
func (g *generator) hex(n int) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	bits := g.rng.Uint64()
	for i := range n {
		b[i] = digits[bits&15]
		bits >>= 4
	}
	return string(b[:n])
}

// traceID gives 32 hex digits.
func (g *generator) traceID() string { return g.hex(16) + g.hex(16) }
