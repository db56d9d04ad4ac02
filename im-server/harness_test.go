package imserver

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
	"imwatch/im-server/token"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild())
	}
	goleak.VerifyTestMain(m)
}

const (
	secret  = "0123456789abcdef0123456789abcdef"
	patient = 20 * time.Second // for what happens soon, on a busy machine too
)

// testConfig is what tests start from: fast, on ports of the system's choice, with one secret.
func testConfig(tb testing.TB) Config {
	tb.Helper()
	c := DefaultConfig()
	c.Addr, c.OpsAddr, c.Node = "127.0.0.1:0", "127.0.0.1:0", "im-test"
	c.JWT.Keys = []token.Key{{Algorithm: "HS256", Secret: secret}}
	c.Limits.ConnectRate, c.Limits.UserConnectRate = 0, 0
	c.Drain.RetryMin, c.Drain.RetryMax = time.Millisecond, 10*time.Millisecond
	c.Log.Path = filepath.Join(tb.TempDir(), "im-server.log")
	c.Log.Stdout = true
	c.Log.Sampling.Heartbeats, c.Log.Sampling.Rooms = 1, 1
	return c
}

// tap is a Stdout that keeps the events and lets a test wait for one.
type tap struct {
	mu      sync.Mutex
	events  []*event.Event
	bad     []string
	changed chan struct{}
}

func newTap() *tap { return &tap{changed: make(chan struct{})} }

func (p *tap) Write(lines []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range bytes.Lines(lines) {
		ev := new(event.Event)
		if err := event.Decode(bytes.TrimSuffix(line, []byte("\n")), ev); err != nil {
			p.bad = append(p.bad, fmt.Sprintf("%s: %v", line, err))
		}
		p.events = append(p.events, ev)
	}
	close(p.changed)
	p.changed = make(chan struct{})
	return len(lines), nil
}

func (p *tap) find(match func(*event.Event) bool) (*event.Event, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.events {
		if match(ev) {
			return ev, nil
		}
	}
	return nil, p.changed
}

// wait gives the first event that matches, and waits for it.
func (p *tap) wait(tb testing.TB, what string, match func(*event.Event) bool) *event.Event {
	tb.Helper()
	late := time.NewTimer(patient)
	defer late.Stop()
	for {
		ev, changed := p.find(match)
		if ev != nil {
			return ev
		}
		select {
		case <-changed:
		case <-late.C:
			tb.Fatalf("no %s came; there are:\n%s", what, p.dump())
		}
	}
}

func (p *tap) action(tb testing.TB, a event.Action) *event.Event {
	tb.Helper()
	return p.wait(tb, a.Code, func(ev *event.Event) bool { return ev.Action() == a.Code })
}

func (p *tap) all(a event.Action) (list []*event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.events {
		if ev.Action() == a.Code {
			list = append(list, ev)
		}
	}
	return list
}

func (p *tap) dump() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, ev := range p.events[max(0, len(p.events)-30):] {
		b.Write(ev.AppendJSON(nil))
		b.WriteByte('\n')
	}
	return b.String()
}

// fixture is a running server and what it writes.
type fixture struct {
	*Server
	t    testing.TB
	log  *tap
	stop func()
}

// serve runs a server until the test's end, and then checks what holds of every log.
func serve(tb testing.TB, cfg Config, deps Deps) *fixture {
	tb.Helper()
	return serveWith(tb, cfg, deps, func(*Server) {})
}

// serveWith is serve of a server that is changed before it runs.
func serveWith(tb testing.TB, cfg Config, deps Deps, change func(*Server)) *fixture {
	tb.Helper()
	f := &fixture{t: tb, log: newTap()}
	deps.Stdout = f.log
	s, err := New(cfg, deps)
	if err != nil {
		tb.Fatal(err)
	}
	f.Server = s
	change(s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run: %v", err)
		}
		f.check()
	})
	tb.Cleanup(f.stop)
	f.log.action(tb, event.ActionServerStart)
	return f
}

// check holds the log to what is promised of every log: lines that decode, ids that are unique and in order, one end for
// each connect, no connection left.
func (f *fixture) check() {
	f.t.Helper()
	for _, bad := range f.log.bad {
		f.t.Errorf("not an event: %s", bad)
	}
	last, seen := "", map[string]bool{}
	starts, ends := map[string]int{}, map[string]int{}
	for _, ev := range f.log.events {
		if seen[ev.ID()] {
			f.t.Errorf("id %s stands twice", ev.ID())
		}
		seen[ev.ID()] = true
		if id := ev.ID(); !strings.HasPrefix(id, "orphaned-") {
			if id <= last {
				f.t.Errorf("id %s stands after %s", id, last)
			}
			last = id
		}
		for _, field := range event.Fields() {
			if field.Group == event.Base && !ev.Has(field.ID) {
				f.t.Errorf("%s lacks %s", ev.AppendJSON(nil), field.Name)
			}
		}
		switch ev.Action() {
		case event.ActionConnect.Code:
			starts[ev.Text(event.FieldConnID)]++
		case event.ActionDisconnect.Code:
			ends[ev.Text(event.FieldConnID)]++
		case event.ActionOrphaned.Code:
			if ev.Text(event.FieldConnBoot) == f.boot {
				ends[ev.Text(event.FieldConnID)]++
			}
		}
	}
	for id := range starts {
		if starts[id] != 1 || ends[id] != 1 {
			f.t.Errorf("connection %s has %d starts and %d ends", id, starts[id], ends[id])
		}
	}
	if len(ends) != len(starts) {
		f.t.Errorf("%d connections have a start and %d an end", len(starts), len(ends))
	}
	if n := f.imbalance(); n != 0 {
		f.t.Errorf("connects less ends less open is %v", n)
	}
	if n := f.slots.Load(); n != 0 {
		f.t.Errorf("%d places are still held", n)
	}
	for st := beatNew; st < beatStates; st++ {
		if n := f.metrics.beat.in[st].Load(); n != 0 {
			f.t.Errorf("%d connections are still counted as %s", n, beatStateNames[st])
		}
	}
	if n := f.wheel.len(); n != 0 {
		f.t.Errorf("%d are still on the wheel", n)
	}
	if n := f.queuedBytes.Load(); n != 0 {
		f.t.Errorf("%d bytes are still counted as queued", n)
	}
}

// together makes a node that counts as one of several, though there is no other.
func together() Deps {
	return Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) { return cluster.NewMemory(o), nil }}
}

func sign(tb testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	tb.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func tokenFor(tb testing.TB, user string) string {
	tb.Helper()
	return sign(tb, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": user, "exp": time.Now().Add(30 * 24 * time.Hour).Unix()})
}

// client is a bare WebSocket client: what a test wants to do wrong, a real client would not do.
type client struct {
	*websocket.Conn
	t     testing.TB
	hello protocol.Hello
}

func (f *fixture) url(scheme, query string) string {
	return scheme + "://" + f.Addr() + protocol.Path + query
}

// dial connects as user and reads the hello.
func (f *fixture) dial(user string) *client {
	f.t.Helper()
	return f.dialWith(user, nil, "")
}

func (f *fixture) dialWith(user string, header http.Header, query string) *client {
	f.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", "Bearer "+tokenFor(f.t, user))
	ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", query), header)
	if err != nil {
		f.t.Fatalf("dial: %v (%v)", err, res)
	}
	_ = res.Body.Close()
	f.t.Cleanup(func() { _ = ws.Close() })
	c := &client{Conn: ws, t: f.t}
	e := c.next()
	hello, ok := e.Payload.(*protocol.Hello)
	if !ok {
		f.t.Fatalf("the first envelope is %+v", e)
	}
	c.hello = *hello
	return c
}

func (c *client) next() protocol.Envelope {
	c.t.Helper()
	e, err := c.read()
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
	return e
}

// read gives the next envelope.
func (c *client) read() (protocol.Envelope, error) {
	if err := c.SetReadDeadline(time.Now().Add(patient)); err != nil {
		return protocol.Envelope{}, err
	}
	_, data, err := c.ReadMessage()
	if err != nil {
		return protocol.Envelope{}, err
	}
	e, err := protocol.JSON().Decode(data, protocol.FromServer)
	if err != nil {
		return e, fmt.Errorf("%s: %w", data, err)
	}
	return e, nil
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// closed reads to the end and gives the server's close frame.
func (c *client) closed() *websocket.CloseError {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patient)); err != nil {
		c.t.Fatal(err)
	}
	for {
		_, _, err := c.ReadMessage()
		if ce, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // it is never wrapped
			return ce
		}
		if err != nil {
			c.t.Fatalf("the connection ended without a close frame: %v", err)
		}
	}
}

func (c *client) tcp() *net.TCPConn {
	tcp, ok := c.NetConn().(*net.TCPConn)
	if !ok {
		c.t.Fatalf("%T is no TCP connection", c.NetConn())
	}
	return tcp
}

func (f *fixture) end(c *client) *event.Event {
	f.t.Helper()
	return f.log.wait(f.t, "disconnect", func(ev *event.Event) bool {
		return ev.Action() == event.ActionDisconnect.Code && ev.Text(event.FieldConnID) == c.hello.ConnectionID
	})
}

// want holds an event to field values, given as text.
func want(tb testing.TB, ev *event.Event, fields map[event.FieldID]string) {
	tb.Helper()
	for id, text := range fields {
		if got := ev.Text(id); got != text {
			tb.Errorf("%s is %q, want %q, in %s", event.FieldByID(id).Name, got, text, ev.AppendJSON(nil))
		}
	}
}

// empty wants nothing to be left of anybody in a server that has ended.
func (f *fixture) empty() {
	f.t.Helper()
	h := f.hub
	if n := len(h.conns) + len(h.users) + len(h.early); n != 0 {
		f.t.Errorf("%d connections, %d users and %d without a session are left in the hub", len(h.conns), len(h.users), len(h.early))
	}
	if names := f.topics.names(); len(names) != 0 {
		f.t.Errorf("the topics %q are still followed", names)
	}
	if n := f.sessions.count(); n != 0 {
		f.t.Errorf("%d sessions are left", n)
	}
	if n := len(f.watchers.of); n != 0 {
		f.t.Errorf("%d users are still watched", n)
	}
	if n := testutil.ToFloat64(f.metrics.delivery.pending); n != 0 {
		f.t.Errorf("%v messages are still pending", n)
	}
	if n := f.queuedBytes.Load(); n != 0 {
		f.t.Errorf("%d bytes are still queued", n)
	}
}

// names gives all topics that are followed.
func (t *topics) names() []string {
	var list []string
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for name := range s.list {
			list = append(list, name)
		}
		s.mu.Unlock()
	}
	return list
}
