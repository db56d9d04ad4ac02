// Package clustertest is the one suite that every adapter of package cluster passes.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/im-server/cluster"
)

// Space is where the nodes of one cluster meet, and nobody else.
type Space struct {
	// Node makes a node, not bound and not run.
	Node func(node, boot string) (cluster.Cluster, error)
	// Advance lets time go by for all of it. nil: it goes by itself, and tests that need it to jump are left out.
	Advance func(d time.Duration)
	// Now is the space's time. Not needed without Advance.
	Now func() time.Time
	// Late says that what was published before Follow, or Watch, may still come.
	Late bool
}

// Factory makes a new space that keeps as much as is said. It is called often.
type Factory func(keep cluster.Keep) Space

// Run runs the whole suite.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Factory)
	}{
		{"Log", testLog},
		{"OneOrderForAll", testOneOrder},
		{"MessagesComeWhole", testWhole},
		{"Sessions", testSessions},
		{"SessionsEnd", testSessionsEnd},
		{"Inbox", testInbox},
		{"Presence", testPresence},
		{"Leases", testLeases},
		{"OneReaper", testOneReaper},
		{"BuriedAlive", testBuriedAlive},
		{"Retire", testRetire},
		{"Succeed", testSucceed},
		{"Calls", testCalls},
		{"Closed", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, f) })
	}
}

var smallKeep = cluster.Keep{Messages: 5, Age: time.Hour, Dedupe: time.Minute, Positions: 30 * 24 * time.Hour}

// tb is what tests and rapid's draws have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// node is one that runs, and what it was told.
type node struct {
	cluster.Cluster
	name string
	stop context.CancelFunc
	done chan error

	mu      sync.Mutex
	changed chan struct{} // closed and made anew with everything that it is told
	got     map[string][]*cluster.Message
	seen    map[string][]bool
	lost    []string
	ask     func([]byte) ([]byte, error)
}

func (n *node) note(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *node) Deliver(m *cluster.Message) {
	n.note(func() { n.got[m.Topic] = append(n.got[m.Topic], m) })
}

func (n *node) Lost(topics []string)         { n.note(func() { n.lost = append(n.lost, topics...) }) }
func (n *node) Ask(r []byte) ([]byte, error) { return n.ask(r) }
func (n *node) Seen(user string, online bool) {
	n.note(func() { n.seen[user] = append(n.seen[user], online) })
}
func (n *node) Changed(bool, string, error) {}

// await waits until ok, which is called with the lock held.
func (n *node) await(t tb, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		n.mu.Lock()
		is, changed := ok(), n.changed
		n.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("%s did not hear for 30 s: %s", n.name, what)
		}
	}
}

// party is a space and those of its nodes that run.
type party struct {
	Space
	t     tb
	nodes []*node
}

func newParty(t tb, f Factory, keep cluster.Keep, names ...string) *party {
	t.Helper()
	p := &party{Space: f(keep), t: t}
	for _, name := range names {
		p.start(name, "boot1")
	}
	return p
}

func (p *party) start(name, boot string) *node {
	p.t.Helper()
	c, err := p.Node(name, boot)
	if err != nil {
		p.t.Fatal(err)
	}
	n := &node{
		Cluster: c, name: name, done: make(chan error, 1), changed: make(chan struct{}),
		got: map[string][]*cluster.Message{}, seen: map[string][]bool{}, ask: func([]byte) ([]byte, error) { return nil, nil },
	}
	c.Bind(n)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() { n.done <- c.Run(ctx) }()
	p.nodes = append(p.nodes, n)
	return n
}

// kill ends a node as a crash would.
func (p *party) kill(n *node) {
	p.t.Helper()
	n.stop()
	if err := <-n.done; err != nil {
		p.t.Fatalf("%s ended: %v", n.name, err)
	}
	p.nodes = slices.DeleteFunc(p.nodes, func(x *node) bool { return x == n })
}

func (p *party) end() {
	for len(p.nodes) > 0 {
		p.kill(p.nodes[0])
	}
}

// some draws a node.
func (p *party) some(t *rapid.T) *node {
	return p.nodes[rapid.IntRange(0, len(p.nodes)-1).Draw(t, "node")]
}

func (p *party) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// sees says whether a node was told of these changes and no others.
func (p *party) sees(n *node, user string, want []bool) bool {
	got := n.seen[user]
	if p.Late {
		got = got[max(0, len(got)-len(want)):]
	}
	return slices.Equal(got, want)
}

// must fails the test on an error.
func must[T any](t tb) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// check draws runs of a machine over a party of its own.
func check(t *testing.T, f Factory, keep cluster.Keep, names []string, run func(*rapid.T, *party)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		p := newParty(t, f, keep, names...)
		defer p.end()
		run(t, p)
	})
}

func needsAdvance(t *testing.T, f Factory) {
	t.Helper()
	if f(smallKeep).Advance == nil {
		t.Skip("time goes by itself here")
	}
}

var errTest = errors.New("refused")

func name(kind string, i int) string { return fmt.Sprint(kind, i) }
