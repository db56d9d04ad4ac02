package imserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// way is one way in which a connection ends, on real sockets.
type way struct {
	name   string
	reason event.CloseReason
	code   string // im.close.code; "": the reason's
	told   bool   // the client gets a close frame with this code
	setup  func(t *testing.T, c *Config, d *Deps)
	dial   func(f *fixture) *client // nil: as u-1
	do     func(f *fixture, c *client)
	fields map[event.FieldID]string // beside those of the reason
}

func closeWith(payload []byte) func(*fixture, *client) {
	return func(_ *fixture, c *client) {
		if err := c.WriteControl(websocket.CloseMessage, payload, time.Now().Add(time.Second)); err != nil {
			c.t.Fatal(err)
		}
		_ = c.closed()
	}
}

func cut(_ *fixture, c *client) {
	if err := c.tcp().Close(); err != nil {
		c.t.Fatal(err)
	}
}

func nothing(*fixture, *client) {}

func writes(data ...byte) func(*fixture, *client) {
	return func(_ *fixture, c *client) {
		if _, err := c.tcp().Write(data); err != nil {
			c.t.Fatal(err)
		}
	}
}

func sends(n int, text string) func(*fixture, *client) {
	return func(_ *fixture, c *client) {
		for range n {
			c.send(text)
		}
	}
}

func limits(change func(*LimitsConfig)) func(*testing.T, *Config, *Deps) {
	return func(_ *testing.T, c *Config, _ *Deps) { change(&c.Limits) }
}

// looked is limits of a server that looks at its connections often.
func looked(change func(*LimitsConfig)) func(*testing.T, *Config, *Deps) {
	return func(_ *testing.T, c *Config, _ *Deps) {
		c.Heartbeat = HeartbeatConfig{Interval: 100 * time.Millisecond, Timeout: time.Minute, MaxMissed: 100}
		change(&c.Limits)
	}
}

// byClient are the ways of clients.
func byClient() []way {
	return []way{
		{
			name: "normal", reason: event.CloseNormal, do: closeWith(websocket.FormatCloseMessage(1000, "bye")),
			fields: map[event.FieldID]string{event.FieldClosePeerCode: "1000", event.FieldCloseClean: "true"},
		},
		{
			name: "no status", reason: event.CloseNormal, code: "1005", do: closeWith(nil),
			fields: map[event.FieldID]string{event.FieldClosePeerCode: "1005", event.FieldCloseClean: "true"},
		},
		{
			name: "going away", reason: event.CloseGoingAway, do: closeWith(websocket.FormatCloseMessage(1001, "")),
			fields: map[event.FieldID]string{event.FieldClosePeerCode: "1001", event.FieldCloseClean: "true"},
		},
		{
			name: "own code", reason: event.CloseGoingAway, code: "4999", do: closeWith(websocket.FormatCloseMessage(4999, "")),
			fields: map[event.FieldID]string{event.FieldClosePeerCode: "4999", event.FieldCloseClean: "true"},
		},
		{
			name: "logout", reason: event.CloseLogout, do: closeWith(websocket.FormatCloseMessage(4510, "")),
			fields: map[event.FieldID]string{event.FieldClosePeerCode: "4510", event.FieldCloseClean: "true"},
		},
		{
			name: "client complains", reason: closeByPeer(1002), code: "1002", do: closeWith(websocket.FormatCloseMessage(1002, "")),
			fields: map[event.FieldID]string{event.FieldClosePeerCode: "1002"},
		},
	}
}

// byNetwork are those that no close frame tells of.
func byNetwork() []way {
	return []way{
		{
			name: "end of stream", reason: event.CloseClientGone, do: cut,
			fields: map[event.FieldID]string{event.FieldErrorType: "eof", event.FieldCloseClean: "false"},
		},
		{name: "end of stream within a frame", reason: event.CloseClientGone, do: func(f *fixture, c *client) {
			writes(0x81, 0x85, 0, 0)(f, c)
			cut(f, c)
		}, fields: map[event.FieldID]string{event.FieldErrorType: "eof"}},
		{name: "reset", reason: event.ClosePeerReset, do: func(f *fixture, c *client) {
			if err := c.tcp().SetLinger(0); err != nil {
				c.t.Fatal(err)
			}
			cut(f, c)
		}, fields: map[event.FieldID]string{event.FieldErrorType: "reset"}},
		{
			name: "reset that a write was told of", reason: event.ClosePeerReset, setup: faulty, do: func(f *fixture, c *client) {
				f.deps.Listener.(*faultyListener).fail(syscall.ECONNRESET, nil)
				c.send(`{"v":1,"type":"ping"}`)
				cut(f, c)
			},
			fields: map[event.FieldID]string{event.FieldErrorType: "reset"},
		},
		{
			name: "TCP gives it up", reason: event.CloseNetTimeout, setup: faulty, do: func(f *fixture, _ *client) {
				f.deps.Listener.(*faultyListener).fail(nil, syscall.ETIMEDOUT)
			},
			fields: map[event.FieldID]string{event.FieldErrorType: "timeout_network"},
		},
	}
}

// byServer are those of a server.
func byServer() []way {
	flooded := func(f *fixture, c *client) { flood(f, c) }
	return []way{
		{
			name: "no pong", reason: event.CloseHeartbeatTimeout, setup: func(_ *testing.T, c *Config, _ *Deps) {
				c.Heartbeat = HeartbeatConfig{Interval: 200 * time.Millisecond, Timeout: 600 * time.Millisecond, MaxMissed: 3}
			}, do: func(f *fixture, _ *client) { f.log.action(f.t, event.ActionHeartbeatTimeout) },
			fields: map[event.FieldID]string{event.FieldCloseClean: "false"},
		},
		{
			name: "says nothing", reason: event.CloseIdle, told: true, do: nothing,
			setup: looked(func(l *LimitsConfig) { l.Idle = 200 * time.Millisecond }),
		},
		{
			name: "old", reason: event.CloseMaxLifetime, told: true, do: nothing,
			setup: looked(func(l *LimitsConfig) { l.MaxLifetime = 200 * time.Millisecond }),
		},
		{
			name: "frame without a mask", reason: event.CloseProtocolError, code: "1002", told: true, do: writes(0x81, 0x01, 'x'),
			fields: map[event.FieldID]string{event.FieldErrorType: "protocol"},
		},
		{
			name: "message too big", reason: event.CloseMessageTooBig, told: true, do: sends(1, strings.Repeat("x", 3000)),
			fields: map[event.FieldID]string{event.FieldCloseClean: "true", event.FieldClosePeerCode: "1009"},
		},
		{
			name: "too many errors", reason: event.CloseTooManyErrors, told: true, do: sends(3, "{}"),
			fields: map[event.FieldID]string{event.FieldMessagesIn: "3"},
		},
		{
			name: "what it may not do", reason: event.ClosePermission, told: true, do: sends(3, `{"v":1,"type":"publish","id":"1","payload":{"global":"all","body":1}}`),
			fields: map[event.FieldID]string{event.FieldMessagesIn: "3"},
		},
		{
			name: "floods", reason: event.CloseRateLimited, told: true, setup: limits(func(l *LimitsConfig) { l.ControlRate, l.ControlBurst = 0.001, 1 }),
			do: func(_ *fixture, c *client) {
				for range 3 {
					_ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) // it may have ended
				}
			},
		},
		{
			name: "takes nothing", reason: event.CloseSlowConsumer, do: flooded, setup: limits(func(l *LimitsConfig) { l.QueueBytes = 200_000 }),
			dial: slowOne, fields: map[event.FieldID]string{event.FieldUserID: "u-slow", event.FieldCloseClean: "false"},
		},
		{
			name: "takes nothing in time", reason: event.CloseWriteTimeout, do: flooded, setup: func(_ *testing.T, c *Config, _ *Deps) {
				c.Limits.QueueBytes, c.Limits.QueueMessages, c.Timeouts.Write = 1<<30, 1<<20, 100*time.Millisecond
			},
			dial: slowOne, fields: map[event.FieldID]string{event.FieldUserID: "u-slow", event.FieldErrorType: "timeout"},
		},
		{
			name: "too much for all", reason: event.CloseOverload, do: flooded, setup: limits(func(l *LimitsConfig) {
				l.QueueBytes, l.QueueMessages, l.QueuesBytes = 1<<30, 1<<20, 200_000
			}),
			dial: slowOne, fields: map[event.FieldID]string{event.FieldUserID: "u-slow", event.FieldCloseClean: "false"},
		},
		{
			name: "write fails", reason: event.CloseWriteError, setup: faulty, do: func(f *fixture, c *client) {
				f.deps.Listener.(*faultyListener).fail(syscall.ENOBUFS, nil)
				c.send(`{"v":1,"type":"ping"}`)
			},
			fields: map[event.FieldID]string{event.FieldErrorType: "other", event.FieldCloseClean: "false"},
		},
		{
			name: "stream that cannot be whole", reason: event.CloseStateLost, told: true, do: nothing, setup: func(_ *testing.T, _ *Config, d *Deps) {
				d.NewCluster = func(o cluster.Options) (cluster.Cluster, error) { return deaf{cluster.NewMemory(o)}, nil }
			},
		},
		{name: "defect", reason: event.CloseServerError, told: true, setup: func(_ *testing.T, c *Config, _ *Deps) { c.Environment = "broken" }, do: func(f *fixture, c *client) {
			f.handlers[protocol.TypeEcho] = func(*conn, protocol.Envelope) error { panic("boom") }
			c.send(`{"v":1,"type":"echo"}`)
		}},
		{name: "drain", reason: event.CloseDrain, told: true, do: func(f *fixture, _ *client) { go f.stop() }, fields: map[event.FieldID]string{event.FieldClosePhase: "drain"}},
	}
}

// byOthers are those that another connection, an administrator or whoever gives tokens has.
func byOthers() []way {
	perDevice := func(policy string, most int) func(*testing.T, *Config, *Deps) {
		return func(_ *testing.T, c *Config, _ *Deps) { c.Sessions.PerDevice, c.Limits.UserConnections = policy, most }
	}
	phone := func(f *fixture) *client { return f.dialWith("u-1", nil, "?device_id=phone") }
	second := func(f *fixture) *client {
		phone(f)
		return phone(f)
	}
	return []way{
		{name: "kicked", reason: event.CloseKicked, told: true, do: func(f *fixture, _ *client) { f.Kick(f.t.Context(), "u-1", "a test") }},
		{name: "replaced by its device", reason: event.CloseSessionReplaced, told: true, setup: perDevice(perDeviceReplace, 0), dial: phone, do: func(f *fixture, _ *client) { phone(f) }},
		{name: "resumed elsewhere", reason: event.CloseSessionReplaced, told: true, do: func(f *fixture, c *client) { f.dialWith("u-1", nil, c.resuming("")) }},
		{name: "its device is there", reason: event.CloseDeviceConflict, told: true, setup: perDevice(perDeviceRefuse, 0), dial: second, do: nothing},
		{name: "one too many", reason: event.CloseUserLimit, told: true, setup: perDevice(perDeviceAllow, 1), dial: second, do: nothing},
		{
			name: "token ends", reason: event.CloseAuthExpired, told: true, setup: func(_ *testing.T, c *Config, _ *Deps) { c.JWT.Leeway = 0 },
			dial: func(f *fixture) *client {
				t, ok := f.t.(*testing.T)
				if !ok {
					f.t.Fatal("no test")
				}
				return f.dialToken(expiring(t, "u-1", time.Now().Add(2*time.Second)))
			}, do: nothing,
		},
		{
			name: "token is revoked", reason: event.CloseAuthRevoked, told: true, setup: func(_ *testing.T, _ *Config, d *Deps) { d.Authenticator = new(revoking) },
			do: func(f *fixture, _ *client) {
				f.deps.Authenticator.(*revoking).over.Store(true)
				f.Revoked()
			},
		},
	}
}

// TestEveryWayOfEnding ends a connection in each way and wants exactly the disconnect line of it.
func TestEveryWayOfEnding(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, list := range [][]way{byClient(), byNetwork(), byServer(), byOthers()} {
		for _, w := range list {
			covered[w.reason.Reason] = true
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				w.check(t)
			})
		}
	}
	for name, test := range map[string]func(*testing.T){event.CloseHelloTimeout.Reason: saysNothingAtFirst, event.CloseOrphaned.Reason: killed} {
		covered[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
	for _, r := range event.CloseReasons() {
		if !covered[r.Reason] {
			t.Errorf("no connection ends as %s", r.Reason)
		}
	}
}

func (w *way) check(t *testing.T) {
	t.Helper()
	cfg, deps := testConfig(t), Deps{}
	cfg.Limits.MessageBytes, cfg.Limits.Errors, cfg.Timeouts.Close = 64<<10, 3, 500*time.Millisecond
	if w.reason.Reason == event.CloseMessageTooBig.Reason {
		cfg.Limits.MessageBytes = 2048
	}
	if w.setup != nil {
		w.setup(t, &cfg, &deps)
	}
	f := serve(t, cfg, deps)
	var c *client
	if w.dial == nil {
		c = f.dial("u-1")
	} else {
		c = w.dial(f)
	}
	w.do(f, c)
	code := w.code
	if code == "" {
		code = fmt.Sprint(w.reason.Code)
		if w.reason.Code == 0 {
			code = "1006"
		}
	}
	if w.told {
		if ce := c.closed(); fmt.Sprint(ce.Code) != code {
			t.Errorf("the client was told %v", ce)
		}
	}
	ev := f.end(c)
	user := "u-1"
	if name, ok := w.fields[event.FieldUserID]; ok {
		user = name
	}
	want(t, ev, map[event.FieldID]string{
		event.FieldCloseReason: w.reason.Reason, event.FieldEventReason: w.reason.Reason, event.FieldCloseInitiator: w.reason.Initiator, event.FieldCloseCode: code,
		event.FieldCloseRetry: w.reason.Retry, event.FieldEventOutcome: w.reason.Outcome, event.FieldLogLevel: event.LevelWarn, // all lives are short
		event.FieldUserID: user, event.FieldSessionID: c.hello.SessionID,
	})
	if phase := ev.Text(event.FieldClosePhase); w.fields[event.FieldClosePhase] == "" && phase != phaseActive && (phase != phaseHello || c.hello.Resumed) {
		t.Errorf("the phase is %s", phase)
	}
	want(t, ev, w.fields)
	if ev.Int(event.FieldEventDuration) <= 0 {
		t.Error("the connection has no life")
	}
	for _, id := range []event.FieldID{
		event.FieldRxAge, event.FieldQueueBytes, event.FieldQueueAge, event.FieldMessageUnacked, event.FieldBytesIn, event.FieldBytesOut, event.FieldMessagesIn,
		event.FieldMessagesOut, event.FieldCloseClean, event.FieldTraceID, event.FieldSpanID, event.FieldClientIP,
	} {
		if !ev.Has(id) {
			t.Errorf("no %s", event.FieldByID(id).Name)
		}
	}
	if r, ok := event.CloseReasonByName(ev.Text(event.FieldCloseReason)); !ok || r.LevelFor(event.ShortLife) != w.reason.Level {
		t.Errorf("a longer life would have the level %s", r.LevelFor(event.ShortLife))
	}
}

// slowOne is a client that does not read.
func slowOne(f *fixture) *client { return f.dial("u-slow") }

// saysNothingAtFirst: without a session there is no connect and no disconnect, but a handshake that failed.
func saysNothingAtFirst(t *testing.T) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Timeouts.Handshake, cfg.Timeouts.Close = 500*time.Millisecond, 100*time.Millisecond
	f := serve(t, cfg, Deps{})
	ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", "?wait=1"), http.Header{"Authorization": {"Bearer " + tokenFor(t, "u-1")}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer ws.Close()
	c := &client{Conn: ws, t: t}
	if ce := c.closed(); ce.Code != event.CloseHelloTimeout.Code {
		t.Errorf("the client was told %v", ce)
	}
	want(t, f.log.action(t, event.ActionHandshakeFailure), map[event.FieldID]string{event.FieldEventReason: "timeout", event.FieldUserID: "u-1"})
	f.stop()
	if n := len(f.log.all(event.ActionDisconnect)); n != 0 {
		t.Errorf("%d disconnects", n)
	}
}

// killed kills the node's process; its next start writes the end.
func killed(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "im-server.log")
	node := startChild(t, path)
	node.guests(1)
	began := time.Now()
	for connectsIn(t, path) == 0 { // the line is written
		if time.Since(began) > patient {
			t.Fatal("no connect was written")
		}
	}
	node.kill()
	cfg := testConfig(t)
	cfg.Log.Path = path
	serve(t, cfg, Deps{}).stop()
	if n := endsOf(t, readLog(t, path)); n != 1 {
		t.Fatalf("%d ends", n)
	}
	for _, ev := range readLog(t, path) {
		if ev.Action() == event.ActionOrphaned.Code {
			want(t, ev, map[event.FieldID]string{
				event.FieldCloseReason: "orphaned", event.FieldEventReason: "orphaned", event.FieldCloseInitiator: "server", event.FieldCloseCode: "1006",
				event.FieldCloseRetry: "resume", event.FieldEventOutcome: "failure", event.FieldLogLevel: "error", event.FieldCloseClean: "false", event.FieldUserID: "u-0",
			})
		}
	}
}

func connectsIn(t *testing.T, path string) (n int) {
	t.Helper()
	for _, ev := range readLog(t, path) {
		if ev.Action() == event.ActionConnect.Code {
			n++
		}
	}
	return n
}

// deaf is a cluster in which nobody can follow anything.
type deaf struct{ *cluster.Memory }

func (deaf) Follow(context.Context, string) error { return errors.New("nobody hears anything") }

// revoking lets everybody in, and then nobody.
type revoking struct{ over atomic.Bool }

func (*revoking) Authenticate(context.Context, Credentials) (Identity, error) {
	return Identity{UserID: "u-1"}, nil
}

func (r *revoking) Revoked(Identity) bool { return r.over.Load() }

// faultyListener accepts connections of the system, whose calls fail on demand as the system's own would: what a loopback
// never does by itself.
type faultyListener struct {
	net.Listener

	mu    sync.Mutex
	conns []*faultyConn
}

func faulty(t *testing.T, _ *Config, d *Deps) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	d.Listener = &faultyListener{Listener: l}
}

func (l *faultyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &faultyConn{Conn: nc}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return c, nil
}

// fail makes the next write, or the read that waits, fail; nil: not.
func (l *faultyListener) fail(write, read error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		if write != nil {
			c.write.Store(&write)
		}
		if read != nil {
			c.read.Store(&read)
			_ = c.SetReadDeadline(time.Unix(1, 0)) // wakes it
		}
	}
}

type faultyConn struct {
	net.Conn

	read, write atomic.Pointer[error]
}

// NetConn gives the system's connection.
func (c *faultyConn) NetConn() net.Conn { return c.Conn }

func (c *faultyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if e := c.read.Load(); e != nil {
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", *e)}
	}
	return n, err
}

func (c *faultyConn) Write(p []byte) (int, error) {
	if e := c.write.Load(); e != nil {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", *e)}
	}
	return c.Conn.Write(p)
}
