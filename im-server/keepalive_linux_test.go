package imserver

import (
	"bytes"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sys/unix"

	"imwatch/event"
)

// TestKeepAliveOfSockets asks the system what a client's socket has.
func TestKeepAliveOfSockets(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	f.dial("u-1")
	conns := f.hub.all()
	if len(conns) != 1 {
		t.Fatalf("%d connections", len(conns))
	}
	raw, err := tcpOf(conns[0].nc).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			name              string
			level, opt, value int
		}{
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 300},
			{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
			{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.opt); err != nil || got != o.value {
				t.Errorf("%s is %d (%v), want %d", o.name, got, err, o.value)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestClientThatReadsNothing: its TCP acknowledges and its program reads nothing. What we wrote has all left our queue,
// so only the socket tells.
func TestClientThatReadsNothing(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Heartbeat = HeartbeatConfig{Interval: 2 * time.Second, Timeout: time.Minute, MaxMissed: 10, Stall: 4 * time.Second}
	cfg.Timeouts.Write = time.Minute
	cfg.Timeouts.Close = 50 * time.Millisecond
	f := serve(t, cfg, Deps{})
	deaf := f.dial("u-1")
	if err := deaf.tcp().SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	// More than its buffers take, less than ours and the queue do.
	c := f.hub.all()[0]
	c.send(frame{op: websocket.TextMessage, data: bytes.Repeat([]byte("x"), 600<<10)})
	c.send(frame{op: websocket.TextMessage, data: bytes.Repeat([]byte("x"), 300<<10)})
	ev := f.end(deaf)
	want(t, ev, map[event.FieldID]string{event.FieldCloseReason: "slow_consumer", event.FieldErrorType: "stalled", event.FieldCloseCode: "4003"})
	if n := ev.Int(event.FieldQueueBytes); n < 1000 {
		t.Errorf("im.queue.bytes is %d", n)
	}
	if age := ev.Int(event.FieldQueueAge); age < 3900 {
		t.Errorf("im.queue.age_ms is %d", age)
	}
}
