package imserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// pipes is a listener whose connections are pipes: a server can be run on it in a bubble of fake time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe:0" }

// bubble runs f with a server in fake time.
func bubble(t *testing.T, change func(*Config), f func(t *testing.T, srv *fixture, dial func(user string) *websocket.Conn)) {
	t.Helper()
	bubbleWith(t, change, Deps{}, f)
}

// bubbleWith is bubble with what the server is given.
func bubbleWith(t *testing.T, change func(*Config), deps Deps, f func(t *testing.T, srv *fixture, dial func(user string) *websocket.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.OpsAddr = ""
		if change != nil {
			change(&cfg)
		}
		listener := newPipes()
		deps.Listener = listener
		srv := serve(t, cfg, deps)
		dialer := websocket.Dialer{NetDialContext: listener.dial}
		f(t, srv, func(user string) *websocket.Conn {
			ws, res, err := dialer.Dial("ws://pipe"+protocol.Path, http.Header{"Authorization": {"Bearer " + tokenFor(t, user)}})
			if err != nil {
				t.Fatalf("dial: %v", err)
			}
			_ = res.Body.Close()
			if _, _, err := ws.ReadMessage(); err != nil {
				t.Fatalf("hello: %v", err)
			}
			return ws
		})
		srv.stop()
	})
}

// pass lets fake time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// ended is how a connection ended for its client.
type ended struct{ err error }

// readOn reads until the connection ends, which answers pings, and gives the error of the end.
func readOn(ws *websocket.Conn) <-chan ended {
	done := make(chan ended, 1)
	go func() {
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				_ = ws.Close()
				done <- ended{err}
				return
			}
		}
	}()
	return done
}

func TestHeartbeatKeepsAConnectionForHours(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *Config) { c.Log.Level = "debug" }, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		done := readOn(ws)
		pass(3 * time.Hour)
		select {
		case end := <-done:
			t.Fatalf("the connection ended: %v", end.err)
		default:
		}
		if n := len(f.log.all(event.ActionHeartbeat)); n < 360 || n > 412 { // a spread of an eighth
			t.Errorf("%d pongs in three hours", n)
		}
		for _, a := range []event.Action{event.ActionHeartbeatMissed, event.ActionHeartbeatTimeout, event.ActionDisconnect} {
			if n := len(f.log.all(a)); n != 0 {
				t.Errorf("%d %s", n, a.Code)
			}
		}
		if n := len(f.log.all(event.ActionConnectionStats)); n < 1079 || n > 1081 {
			t.Errorf("%d connection_stats in three hours", n)
		}
		if err := ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		<-done
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{
			event.FieldCloseReason: "normal", event.FieldLogLevel: "info", event.FieldEventOutcome: "success",
		})
	})
}

// TestSilentPeerIsEnded: a client that reads nothing and says nothing is ended 90 s after its last sign of life.
func TestSilentPeerIsEnded(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		began := time.Now()
		ws := dial("u-1")
		ws.SetPingHandler(func(string) error { return nil }) // pings are read and not answered
		done := readOn(ws)
		end := <-done
		if ce, ok := errors.AsType[*websocket.CloseError](end.err); !ok || ce.Code != 4002 || ce.Text != `{"r":"heartbeat_timeout"}` {
			t.Errorf("the client was told %v", end.err)
		}
		if took := time.Since(began); took < 56*time.Second || took > 92*time.Second {
			t.Errorf("the end came after %v", took)
		}
		ev := f.log.action(t, event.ActionDisconnect)
		want(t, ev, map[event.FieldID]string{
			event.FieldCloseReason: "heartbeat_timeout", event.FieldCloseCode: "4002", event.FieldCloseInitiator: "server", event.FieldEventOutcome: "failure",
			event.FieldLogLevel: "warn", event.FieldCloseClean: "true", event.FieldHeartbeatPongAge: "",
		})
		if age := ev.Int(event.FieldRxAge); age < 56_000 || age > 92_000 {
			t.Errorf("im.rx.age_ms is %d", age)
		}
		timeout := f.log.action(t, event.ActionHeartbeatTimeout)
		want(t, timeout, map[event.FieldID]string{event.FieldLogLevel: "error", event.FieldConnID: ev.Text(event.FieldConnID), event.FieldHeartbeatInterval: "15000"})
		missed := f.log.all(event.ActionHeartbeatMissed)
		for i, m := range missed {
			want(t, m, map[event.FieldID]string{event.FieldHeartbeatMissed: fmt.Sprint(i + 1), event.FieldLogLevel: "warn"})
			if m.ID() > timeout.ID() {
				t.Error("a heartbeat_missed stands after the heartbeat_timeout")
			}
		}
		if len(missed) < 2 {
			t.Errorf("%d heartbeats are said to be missed", len(missed))
		}
		if timeout.ID() > ev.ID() {
			t.Error("the disconnect stands before the heartbeat_timeout")
		}
	})
}

// TestThreeMissedPongsEndAConnection: a client that talks and does not answer pings is ended by the misses alone.
func TestThreeMissedPongsEndAConnection(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		ws.SetPingHandler(func(string) error { return nil })
		done := readOn(ws)
		began := time.Now()
		talk := time.NewTicker(10 * time.Second)
		defer talk.Stop()
		for over := false; !over; {
			select {
			case <-talk.C:
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"type":"ping"}`)) // fails at the end
			case <-done:
				over = true
			}
		}
		if took := time.Since(began); took < 50*time.Second || took > 95*time.Second {
			t.Errorf("the end came after %v", took)
		}
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{event.FieldCloseReason: "heartbeat_timeout"})
		want(t, f.log.action(t, event.ActionHeartbeatTimeout), map[event.FieldID]string{event.FieldHeartbeatMissed: "3"})
		if n := len(f.log.all(event.ActionHeartbeatMissed)); n != 3 {
			t.Errorf("%d heartbeats are said to be missed", n)
		}
	})
}

// TestOneMissIsForgiven: a pong that comes again makes the count begin anew.
func TestOneMissIsForgiven(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		pings := 0
		ws.SetPingHandler(func(data string) error {
			if pings++; pings%2 != 0 {
				return nil // every other one is not answered
			}
			return ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		})
		done := readOn(ws)
		pass(time.Hour)
		if n := len(f.log.all(event.ActionDisconnect)); n != 0 {
			t.Errorf("the connection was ended %d times", n)
		}
		if n := len(f.log.all(event.ActionHeartbeatMissed)); n < 59 {
			t.Errorf("%d heartbeats are said to be missed", n)
		}
		_ = ws.Close()
		<-done
	})
}

// TestPeerThatTakesNothing: the pipe is full, pings cannot be written, and no close frame gets through.
func TestPeerThatTakesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *Config) { c.Timeouts.Write = time.Hour }, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		pass(2 * time.Minute)
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{
			event.FieldCloseReason: "heartbeat_timeout", event.FieldCloseClean: "false", event.FieldClosePeerCode: "",
		})
		_ = ws.Close()
	})
}
