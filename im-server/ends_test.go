package imserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/framing"
	"imwatch/im-server/protocol"
)

// TestEveryWayOfEnding ends a connection on a real socket in each way that a client or the network can, and wants
// exactly the disconnect line of it.
func TestEveryWayOfEnding(t *testing.T) {
	t.Parallel()
	closeWith := func(payload []byte) func(*client) {
		return func(c *client) {
			if err := c.WriteControl(websocket.CloseMessage, payload, time.Now().Add(time.Second)); err != nil {
				c.t.Fatal(err)
			}
			_ = c.closed()
		}
	}
	cut := func(c *client) {
		if err := c.tcp().Close(); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		do     func(c *client)
		reason event.CloseReason
		fields map[event.FieldID]string
	}{
		{
			"normal", closeWith(websocket.FormatCloseMessage(1000, "bye")), event.CloseNormal,
			map[event.FieldID]string{event.FieldCloseCode: "1000", event.FieldClosePeerCode: "1000", event.FieldCloseClean: "true"},
		},
		{
			"no status", closeWith(nil), event.CloseNormal,
			map[event.FieldID]string{event.FieldCloseCode: "1005", event.FieldClosePeerCode: "1005", event.FieldCloseClean: "true"},
		},
		{
			"going away", closeWith(websocket.FormatCloseMessage(1001, "")), event.CloseGoingAway,
			map[event.FieldID]string{event.FieldClosePeerCode: "1001", event.FieldCloseClean: "true"},
		},
		{
			"own code", closeWith(websocket.FormatCloseMessage(4999, "")), event.CloseGoingAway,
			map[event.FieldID]string{event.FieldClosePeerCode: "4999", event.FieldCloseClean: "true"},
		},
		{
			"logout", closeWith(websocket.FormatCloseMessage(4510, "")), event.CloseLogout,
			map[event.FieldID]string{event.FieldClosePeerCode: "4510", event.FieldCloseClean: "true"},
		},
		{
			"client complains", closeWith(websocket.FormatCloseMessage(1002, "")), closeByPeer(1002),
			map[event.FieldID]string{event.FieldClosePeerCode: "1002", event.FieldCloseInitiator: "client"},
		},
		{
			"end of stream", cut, event.CloseClientGone,
			map[event.FieldID]string{event.FieldCloseCode: "1006", event.FieldErrorType: "eof"},
		},
		{"end of stream within a frame", func(c *client) {
			if _, err := c.tcp().Write([]byte{0x81, 0x85, 0, 0}); err != nil {
				c.t.Fatal(err)
			}
			cut(c)
		}, event.CloseClientGone, map[event.FieldID]string{event.FieldCloseCode: "1006"}},
		{"reset", func(c *client) {
			if err := c.tcp().SetLinger(0); err != nil {
				c.t.Fatal(err)
			}
			cut(c)
		}, event.ClosePeerReset, map[event.FieldID]string{event.FieldCloseCode: "1006", event.FieldErrorType: "reset"}},
		{"frame without a mask", func(c *client) {
			if _, err := c.tcp().Write([]byte{0x81, 0x01, 'x'}); err != nil {
				c.t.Fatal(err)
			}
			if ce := c.closed(); ce.Code != 1002 {
				c.t.Errorf("the client was told %v", ce)
			}
		}, event.CloseProtocolError, map[event.FieldID]string{event.FieldCloseCode: "1002", event.FieldErrorType: "protocol"}},
		{"message too big", func(c *client) {
			c.send(strings.Repeat("x", 3000))
			if ce := c.closed(); ce.Code != 1009 || ce.Text != `{"r":"message_too_big"}` {
				c.t.Errorf("the client was told %v", ce)
			}
		}, event.CloseMessageTooBig, map[event.FieldID]string{event.FieldCloseCode: "1009", event.FieldCloseClean: "true", event.FieldClosePeerCode: "1009"}},
		{"too many errors", func(c *client) {
			for range 3 {
				c.send("{}")
			}
			if ce := c.closed(); ce.Code != 4509 {
				c.t.Errorf("the client was told %v", ce)
			}
		}, event.CloseTooManyErrors, map[event.FieldID]string{event.FieldCloseCode: "4509", event.FieldCloseClean: "true", event.FieldMessagesIn: "3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Limits.MessageBytes, cfg.Limits.Errors = 2048, 3
			f := serve(t, cfg, Deps{})
			c := f.dial("u-1")
			tt.do(c)
			ev := f.end(c)
			want(t, ev, tt.fields)
			want(t, ev, map[event.FieldID]string{
				event.FieldCloseReason: tt.reason.Reason, event.FieldEventReason: tt.reason.Reason, event.FieldCloseInitiator: tt.reason.Initiator,
				event.FieldCloseRetry: tt.reason.Retry, event.FieldEventOutcome: tt.reason.Outcome, event.FieldLogLevel: event.LevelWarn,
				event.FieldClosePhase: "active", event.FieldUserID: "u-1", event.FieldSessionID: c.hello.SessionID, event.FieldMessagesOut: ev.Text(event.FieldMessagesOut),
			})
			if ev.Int(event.FieldEventDuration) <= 0 {
				t.Error("the connection has no life")
			}
			for _, id := range []event.FieldID{event.FieldRxAge, event.FieldQueueBytes, event.FieldQueueAge, event.FieldMessageUnacked, event.FieldBytesIn, event.FieldBytesOut} {
				if !ev.Has(id) {
					t.Errorf("no %s", event.FieldByID(id).Name)
				}
			}
		})
	}
}

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
	if n := ev.Int(event.FieldQueueBytes); n < 200_000 || n > 300_000 {
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
