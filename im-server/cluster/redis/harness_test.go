package redis

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"imwatch/im-server/cluster"
)

// testNode is a node that runs, and what it was told.
type testNode struct {
	*Cluster
	t    testing.TB
	stop func()

	mu      sync.Mutex
	got     []cluster.Message
	lost    []string
	seen    []string
	changes []string
}

func (n *testNode) note(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}
func (n *testNode) Deliver(m *cluster.Message) { n.note(func() { n.got = append(n.got, *m) }) }
func (n *testNode) Lost(topics []string)       { n.note(func() { n.lost = append(n.lost, topics...) }) }
func (n *testNode) Ask([]byte) ([]byte, error) { return nil, nil }
func (n *testNode) Seen(user string, online bool) {
	n.note(func() { n.seen = append(n.seen, fmt.Sprint(user, online)) })
}

func (n *testNode) Changed(up bool, state string, err error) {
	n.note(func() { n.changes = append(n.changes, fmt.Sprint(up, " ", state, " ", err != nil)) })
}

// heard gives ids and offsets of what was handed out, in order.
func (n *testNode) heard() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, m := range n.got {
		s := fmt.Sprintf("%s@%d", m.ID, m.Offset)
		if m.Again {
			s += " again"
		}
		out = append(out, s)
	}
	return out
}

// await waits until a condition holds. Nothing tells of it, so it is looked at often; how long is no matter.
func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(limit) {
			tb.Fatalf("a minute has passed without this: %s", what)
		}
		<-tick.C
	}
}

// world is a Redis and its nodes.
type world struct {
	t   testing.TB
	cfg Config
	now func() time.Time
	dir string

	keep cluster.Keep
}

func newWorld(tb testing.TB, addr string) *world {
	tb.Helper()
	cfg := testConfig(addr)
	cfg.Ping, cfg.Timeout = 20*time.Millisecond, 2*time.Second
	return &world{t: tb, cfg: cfg, dir: tb.TempDir(), keep: testKeep}
}

var testKeep = cluster.Keep{Messages: 1000, Age: time.Hour, Dedupe: time.Minute, Positions: 24 * time.Hour}

func (w *world) start(node, boot string) *testNode {
	w.t.Helper()
	cfg := w.cfg
	cfg.Journal = filepath.Join(w.dir, node)
	c, err := New(cfg, cluster.Options{Node: node, Boot: boot, Keep: w.keep, Now: w.now}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	n := &testNode{Cluster: c, t: w.t}
	c.Bind(n)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(n.stop)
	return n
}

func (n *testNode) say(topic, id string) cluster.Receipt {
	n.t.Helper()
	r, err := n.Publish(context.Background(), testMessage(topic, id, n.opts.Now()))
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

func testMessage(topic, id string, now time.Time) cluster.Message {
	return cluster.Message{Topic: topic, ID: id, From: "al", At: now.UnixMilli(), Body: []byte(`"` + id + `"`)}
}

func (n *testNode) follow(topics ...string) {
	n.t.Helper()
	for _, topic := range topics {
		if err := n.Follow(context.Background(), topic); err != nil {
			n.t.Fatal(err)
		}
	}
}

// ids gives what a topic holds, in order.
func (n *testNode) ids(topic string) []string {
	n.t.Helper()
	p, err := n.Read(context.Background(), topic, 0, 100_000)
	if err != nil {
		n.t.Fatal(err)
	}
	var out []string
	for _, m := range p.Messages {
		out = append(out, m.ID)
	}
	return out
}

func (n *testNode) awaitUp(up bool) {
	n.t.Helper()
	await(n.t, fmt.Sprint("ready: ", up), func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.Ready() == up && len(n.changes) > 0 && n.changes[len(n.changes)-1][:4] == fmt.Sprint(up, " ")[:4]
	})
}

func (n *testNode) awaitHeard(want ...string) {
	n.t.Helper()
	await(n.t, fmt.Sprint(want), func() bool { return slices.Equal(n.heard(), want) })
}

// gate stands between nodes and Redis; while it is shut, what nodes say gets through and Redis' answers do not.
type gate struct {
	ln    net.Listener
	to    string
	shut  atomic.Bool
	bites atomic.Int64 // so many connections are closed when something is said by them
	mu    sync.Mutex
	conns map[net.Conn]bool
	work  sync.WaitGroup
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ln: ln, to: to, conns: map[net.Conn]bool{}}
	g.work.Go(g.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		g.cut()
		g.work.Wait()
	})
	return g
}

func (g *gate) accept() {
	for {
		in, err := g.ln.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", g.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		g.mu.Lock()
		g.conns[in], g.conns[out] = true, true
		g.mu.Unlock()
		g.work.Go(func() {
			_, _ = io.Copy(writerFunc(func(b []byte) (int, error) {
				if g.bites.Add(-1) >= 0 {
					return 0, io.ErrClosedPipe
				}
				return out.Write(b)
			}), in)
			g.drop(in, out)
		})
		g.work.Go(func() {
			_, _ = io.Copy(writerFunc(func(b []byte) (int, error) { return g.pass(in, b) }), out)
			g.drop(in, out)
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (g *gate) pass(to net.Conn, b []byte) (int, error) {
	if g.shut.Load() {
		return len(b), nil
	}
	return to.Write(b)
}

func (g *gate) drop(conns ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(g.conns, c)
	}
}

// cut breaks every connection.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		_ = c.Close()
	}
}

// clock is a time that the test moves, Redis' own included.
type clock struct {
	at     atomic.Int64
	server *miniredis.Miniredis
}

func newClock(server *miniredis.Miniredis) *clock {
	c := &clock{server: server}
	c.at.Store(time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC).UnixNano())
	server.SetTime(c.now())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()) }

func (c *clock) advance(d time.Duration) {
	c.at.Add(int64(d))
	c.server.SetTime(c.now())
	c.server.FastForward(d)
}
