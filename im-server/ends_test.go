package imserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/framing"
	"imwatch/im-server/protocol"
)

func TestKick(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	c := f.dial("u-1")
	if n := f.Kick(t.Context(), "u-1", "a test"); n != 1 {
		t.Errorf("%d connections were ended", n)
	}
	if ce := c.closed(); ce.Code != 4504 || ce.Text != `{"r":"kicked"}` {
		t.Errorf("the client was told %v", ce)
	}
	want(t, f.end(c), map[event.FieldID]string{event.FieldCloseReason: "kicked", event.FieldEventOutcome: "success", event.FieldCloseClean: "true", event.FieldClosePeerCode: "4504"})
	f.log.action(t, event.ActionSessionKicked)
}

func TestPanicInAHandlerEndsOnlyItsConnection(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	f.handlers[protocol.TypeEcho] = func(*conn, protocol.Envelope) error { panic("boom") }
	c, other := f.dial("u-1"), f.dial("u-2")
	c.send(`{"v":1,"type":"echo"}`)
	if ce := c.closed(); ce.Code != 4000 {
		t.Errorf("the client was told %v", ce)
	}
	want(t, f.end(c), map[event.FieldID]string{event.FieldCloseReason: "server_error", event.FieldCloseClean: "true"})
	want(t, f.log.action(t, event.ActionPanic), map[event.FieldID]string{event.FieldLogLevel: "fatal", event.FieldErrorMessage: "boom", event.FieldUserID: "u-1"})
	other.send(`{"v":1,"type":"ping","id":"p"}`)
	if e := other.next(); e.Type != protocol.TypePong || e.ID != "p" {
		t.Errorf("the other connection got %+v", e)
	}
}

// flood sends messages to a client that does not read, until its end is in the log.
func flood(f *fixture, victim *client) *event.Event {
	f.t.Helper()
	sender := f.dial("u-sender")
	go func() { // takes the acks
		for {
			if _, _, err := sender.ReadMessage(); err != nil {
				return
			}
		}
	}()
	body := strings.Repeat("x", 30_000)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if sender.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"v":1,"type":"publish","id":"m-%d","payload":{"to":"u-slow","body":"%s"}}`, i, body)) != nil {
				return
			}
		}
	}()
	ev := f.end(victim)
	close(stop)
	<-done
	return ev
}

func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.QueueBytes, cfg.Timeouts.Close = 200_000, 50*time.Millisecond
	f := serve(t, cfg, Deps{})
	c := f.dial("u-slow")
	ev := flood(f, c)
	want(t, ev, map[event.FieldID]string{event.FieldCloseReason: "slow_consumer", event.FieldCloseCode: "4003", event.FieldCloseClean: "false", event.FieldEventOutcome: "failure"})
	if n := ev.Int(event.FieldQueueBytes); n < 200_000 || n > 16<<20 { // on a slow machine with what the socket holds
		t.Errorf("%d bytes waited", n)
	}
	if ev.Int(event.FieldMessageUnacked) == 0 {
		t.Error("no message is unacknowledged")
	}
	slow := f.log.action(t, event.ActionSlowConsumer)
	want(t, slow, map[event.FieldID]string{event.FieldLogLevel: "warn", event.FieldConnID: c.hello.ConnectionID})
	if slow.Int(event.FieldQueueDepth) == 0 {
		t.Error("the queue has no depth")
	}
}

func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.QueueBytes, cfg.Limits.QueueMessages, cfg.Timeouts.Write = 1<<30, 1<<20, 100*time.Millisecond
	f := serve(t, cfg, Deps{})
	want(t, flood(f, f.dial("u-slow")), map[event.FieldID]string{
		event.FieldCloseReason: "write_timeout", event.FieldCloseCode: "4004", event.FieldErrorType: "timeout", event.FieldCloseInitiator: "server",
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Timeouts.Close = 500 * time.Millisecond
	f := serve(t, cfg, together())
	polite, deaf := f.dial("u-1"), f.dial("u-2")
	told := make(chan *websocket.CloseError, 1)
	go func() { told <- polite.closed() }()
	go f.stop()
	f.log.action(t, event.ActionServerDrain)
	for !f.draining.Load() && t.Context().Err() == nil { // the line comes first, then the refusals
		runtime.Gosched()
	}
	if status, reason := f.refused(f.url("http", ""), nil); status != 503 || reason != "draining" {
		t.Errorf("a handshake while draining got %d %s", status, reason)
	}
	ce := <-told
	text, err := protocol.ParseCloseText(ce.Text)
	if err != nil {
		t.Fatal(err)
	}
	if ce.Code != 4001 || text.Reason != "drain" || text.RetryMS < 1 || text.RetryMS > 10 {
		t.Errorf("the client was told %v", ce)
	}
	want(t, f.end(polite), map[event.FieldID]string{event.FieldCloseReason: "drain", event.FieldClosePhase: "drain", event.FieldCloseClean: "true", event.FieldEventOutcome: "success"})
	want(t, f.end(deaf), map[event.FieldID]string{event.FieldCloseReason: "drain", event.FieldCloseClean: "false"})
	f.stop()
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	if last := f.log.events[len(f.log.events)-1]; last.Action() != event.ActionServerStop.Code {
		t.Errorf("the last line is %s", last.AppendJSON(nil))
	}
}

// TestClassify covers the errors that a loopback socket does not give.
func TestClassify(t *testing.T) {
	t.Parallel()
	op := func(err error) error {
		return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
	}
	for _, tt := range []struct {
		err   error
		class string
	}{
		{op(syscall.ETIMEDOUT), classNetTimeout},
		{op(syscall.EHOSTUNREACH), classNetTimeout},
		{op(syscall.ECONNRESET), classReset},
		{op(syscall.EPIPE), classReset},
		{os.ErrDeadlineExceeded, classDeadline},
		{net.ErrClosed, classLocal},
		{errors.New("remote error: tls: bad record MAC"), classProtocol},
		{&framing.Error{Code: 1002}, classProtocol},
		{&framing.Error{Code: 1009}, classLimit},
		{&lateError{time.Second, op(os.ErrDeadlineExceeded)}, classDeadline},
		{errors.New("something else"), classOther},
	} {
		if got := errorClass(tt.err); got != tt.class {
			t.Errorf("%v is %s, want %s", tt.err, got, tt.class)
		}
	}
}
