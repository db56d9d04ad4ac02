package imserver

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	runtimemetrics "runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// abusePeak is by how much the process may grow while it is abused, in bytes, the abuser's own memory included.
const abusePeak = 32 << 20

// abuse is a way to harm the server, and how it has to end.
type abuse struct {
	name   string
	do     func(t *testing.T, w *raw) // until the server has had enough
	told   string                     // the close frame; "": none can be read
	reason event.CloseReason
	action event.Action // of the line that says what was done; zero: the end says all
	kind   string       // error.code of that line
	soon   bool         // the time for a message is short
}

// TestAbuse tries what an attacker would, on real sockets: each ends with exactly its events, in bounded memory, and a
// neighbour notices nothing. It runs alone, for the memory to be its own. What is tried in handshakes stands in
// TestAbusiveHandshakes, what is tried with tokens in im-server/token.
func TestAbuse(t *testing.T) { //nolint:paralleltest // as said
	cfg := testConfig(t)
	cfg.Timeouts.Close = 500 * time.Millisecond
	cfg.Limits.Errors, cfg.Compression.Enabled = 20, true
	calm := serve(t, cfg, Deps{})
	cfg = testConfig(t)
	cfg.Timeouts.Message, cfg.Limits.ControlRate = 200*time.Millisecond, 0
	hasty := serve(t, cfg, Deps{})
	defer calm.neighbour(t)()
	defer hasty.neighbour(t)()
	for i, a := range abuses() {
		t.Run(a.name, func(t *testing.T) { //nolint:paralleltest // as said
			f := calm
			if a.soon {
				f = hasty
			}
			user := fmt.Sprintf("abuser-%d", i)
			w := f.rawUser(t, user, "Sec-WebSocket-Extensions: permessage-deflate")
			peak := watchHeap()
			a.do(t, w)
			told := w.next()
			for a.told != "" && (strings.HasPrefix(told, "text") || strings.HasPrefix(told, "pong")) {
				told = w.next()
			}
			if a.told != "" && told != a.told {
				t.Errorf("the client was told %.100q, want %s", told, a.told)
			}
			_ = w.Close()
			ev := f.log.wait(t, "end of "+user, func(ev *event.Event) bool {
				return ev.Action() == event.ActionDisconnect.Code && ev.Text(event.FieldUserID) == user
			})
			want(t, ev, map[event.FieldID]string{event.FieldCloseReason: a.reason.Reason, event.FieldCloseInitiator: "server", event.FieldCloseRetry: a.reason.Retry})
			if a.action.Code != "" {
				said := f.log.wait(t, a.action.Code, func(ev *event.Event) bool {
					return ev.Action() == a.action.Code && ev.Text(event.FieldUserID) == user
				})
				want(t, said, map[event.FieldID]string{event.FieldEventReason: a.reason.Reason, event.FieldErrorCode: a.kind})
				if said.Text(event.FieldErrorMessage) == "" || ev.Text(event.FieldErrorMessage) == "" {
					t.Error("the log does not say what was found")
				}
				if n := testutil.ToFloat64(f.metrics.abuse.WithLabelValues(a.kind)); n < 1 {
					t.Errorf("im_server_abuse_total is %v", n)
				}
			}
			if grown := peak(); grown > abusePeak {
				t.Errorf("the process grew by %d bytes", grown)
			}
		})
	}
}

// neighbour keeps echoing until it is stopped, and misses nothing.
func (f *fixture) neighbour(t *testing.T) (stop func()) {
	t.Helper()
	w := f.rawUser(t, "neighbour")
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-done:
				ended <- nil
				return
			case <-tick.C:
			}
			_ = w.SetDeadline(time.Now().Add(patient)) // the read below says it
			_, err := w.Write(masked(fin|1, fmt.Sprintf(`{"v":1,"type":"echo","id":"n-%d","payload":{"n":%d}}`, n, n)))
			if err != nil {
				ended <- err
				return
			}
			if got := w.next(); !strings.Contains(got, fmt.Sprintf(`"id":"n-%d"`, n)) {
				ended <- fmt.Errorf("echo %d is %q", n, got)
				return
			}
		}
	}()
	return func() {
		close(done)
		if err := <-ended; err != nil {
			t.Errorf("the neighbour: %v", err)
		}
	}
}

// watchHeap looks at the memory of objects until the function that it gives is called, which gives by how much it grew.
func watchHeap() (grown func() int64) {
	runtime.GC()
	look := func() int64 {
		s := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		runtimemetrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	base := look()
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		peak := base
		for {
			peak = max(peak, look())
			select {
			case <-tick.C:
			case <-stop:
				most <- peak - base
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-most
	}
}

// flooded writes bytes again and again until the server takes no more.
func flooded(bytes []byte) func(*testing.T, *raw) {
	return func(t *testing.T, w *raw) {
		t.Helper()
		many := slices.Repeat(bytes, 50)
		for !w.ended() {
			if _, err := w.Write(many); err != nil {
				return
			}
		}
	}
}

// ended says whether the server has said anything at once that is no answer.
func (w *raw) ended() bool {
	defer func() { _ = w.SetReadDeadline(time.Now().Add(patient)) }()
	if w.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return true
	}
	for {
		b, err := w.r.Peek(1)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil || b[0] == fin|8:
			return true
		}
		if _, _, err := w.frame(); err != nil {
			return true
		}
	}
}

func once(bytes ...[]byte) func(*testing.T, *raw) {
	return func(t *testing.T, w *raw) {
		t.Helper()
		w.send(t, bytes...)
	}
}

func abuses() []abuse {
	big := strings.Repeat("x", 65537)
	noise := make([]byte, 30_000) // which does not become smaller
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	echo := fmt.Sprintf(`{"v":1,"type":"echo","payload":{"x":"%x"}}`, noise)
	bomb := packed(strings.Repeat("0", 8<<20))
	rejected := event.ActionMessageRejected
	dripped := func(bytes []byte) func(*testing.T, *raw) {
		return func(t *testing.T, w *raw) {
			t.Helper()
			for _, b := range bytes {
				w.send(t, []byte{b})
				if w.ended() {
					return
				}
			}
			t.Error("all of it was taken")
		}
	}
	return []abuse{
		{"oversized message", once(masked(fin|1, big)), "close 1009", event.CloseMessageTooBig, rejected, "size", false},
		{"announced and never sent", once(masked(fin|2, big)[:20]), "close 1009", event.CloseMessageTooBig, rejected, "size", false},
		{"messages within one another", flooded(masked(1, strings.Repeat("x", 4096))), "close 1002", event.CloseProtocolError, rejected, "frame", false},
		{"endless large fragments", fragmentsOf(4096), "close 1009", event.CloseMessageTooBig, rejected, "size", false},
		{"endless small fragments", fragmentsOf(1), "close 1009", event.CloseMessageTooBig, rejected, "fragments", false},
		{"endless empty fragments", fragmentsOf(0), "close 4008", event.CloseRateLimited, event.ActionRateLimited, "flood", false},
		{"dripped message", dripped(masked(fin|1, strings.Repeat("x", 5000))), "close 4011", event.CloseIdle, rejected, "drip", true},
		{"half a header", once([]byte{fin | 1}), "close 4011", event.CloseIdle, rejected, "drip", true},
		{"dripped fragments", drippedFragments, "close 4011", event.CloseIdle, rejected, "drip", true},
		{"half a ping", once(masked(fin|9, "ping")[:7]), "close 4011", event.CloseIdle, rejected, "drip", true},
		{"flood of pings", flooded(masked(fin|9, "ping")), "close 4008", event.CloseRateLimited, event.ActionRateLimited, "flood", false},
		{"flood of pongs", flooded(masked(fin|10, "")), "close 4008", event.CloseRateLimited, event.ActionRateLimited, "flood", false},
		{"frame without a mask", once([]byte{fin | 1, 1, 'x'}), "close 1002", event.CloseProtocolError, rejected, "frame", false},
		{"bytes that are no frames", once([]byte("GET / HTTP/1.1\r\nHost: im\r\n\r\n")), "close 1002", event.CloseProtocolError, rejected, "frame", false},
		{"reserved bit", once(masked(fin|0x20|1, "x")), "close 1002", event.CloseProtocolError, rejected, "frame", false},
		{"bomb", once(masked(fin|rsv1|2, bomb)), "close 1009", event.CloseMessageTooBig, rejected, "unpacked", false},
		{"bomb in fragments", once(pieces(rsv1|2, 100, bomb)...), "close 1009", event.CloseMessageTooBig, rejected, "unpacked", false},
		{"packed rubbish", once(masked(fin|rsv1|1, strings.Repeat("\xff", 100))), "close 1007", event.CloseProtocolError, rejected, "packed", false},
		{"text that is none", once(masked(fin|1, "\xff")), "close 1007", event.CloseProtocolError, rejected, "utf8", false},
		{"refused messages", flooded(masked(fin|1, "{}")), "close 4509", event.CloseTooManyErrors, event.Action{}, "", false},
		{"reads nothing", func(t *testing.T, w *raw) {
			t.Helper()
			if tcp, ok := w.Conn.(*net.TCPConn); !ok || tcp.SetReadBuffer(4096) != nil {
				t.Fatal("no read buffer")
			}
			for frame := masked(fin|1, echo); ; {
				if _, err := w.Write(frame); err != nil {
					return
				}
			}
		}, "", event.CloseSlowConsumer, event.Action{}, "", false},
	}
}

// fragmentsOf begins a message and never ends it.
func fragmentsOf(n int) func(*testing.T, *raw) {
	text := strings.Repeat("x", n)
	return func(t *testing.T, w *raw) {
		t.Helper()
		w.send(t, masked(1, text))
		flooded(masked(0, text))(t, w)
	}
}

// drippedFragments sends a fragment now and then, with pings between that keep the connection alive.
func drippedFragments(t *testing.T, w *raw) {
	t.Helper()
	w.send(t, masked(1, "x"))
	for !w.ended() {
		if _, err := w.Write(append(masked(0, "x"), masked(fin|9, "p")...)); err != nil {
			return
		}
	}
}

// TestBegunMessagesHoldWhatHasCome: many clients that announce large messages and send little of them cost little.
func TestBegunMessagesHoldWhatHasCome(t *testing.T) { //nolint:paralleltest // for the memory to be its own
	f := serve(t, testConfig(t), Deps{})
	const clients = 200
	var open []*raw
	for range clients {
		open = append(open, f.rawUser(t, "u-1"))
	}
	held := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := held()
	for _, w := range open {
		w.send(t, masked(1, strings.Repeat("x", 1000)), masked(fin|9, "")) // the pong says that the server has it
		got := w.next()
		for strings.HasPrefix(got, "ping ") { // of the server's own
			got = w.next()
		}
		if got != "pong " {
			t.Fatal(got)
		}
	}
	if each := (held() - before) / clients; each > 4096 {
		t.Errorf("a message of which 1,000 bytes came holds %d", each)
	}
}

// silent says that the server says nothing for a moment.
func silent(nc net.Conn) bool {
	defer func() { _ = nc.SetReadDeadline(time.Now().Add(patient)) }() // as for the write
	if nc.SetReadDeadline(time.Now().Add(20*time.Millisecond)) != nil {
		return false
	}
	_, err := nc.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// TestAbusiveHandshakes tries what needs no token, many at a time: each is refused and counted, in bounded memory, and a
// neighbour notices nothing.
func TestAbusiveHandshakes(t *testing.T) { //nolint:paralleltest // for the memory to be its own
	const many = 50
	cfg := testConfig(t)
	cfg.Timeouts.Handshake = patient
	calm := serve(t, cfg, Deps{})
	cfg = testConfig(t)
	cfg.Timeouts.Handshake = 500 * time.Millisecond
	hasty := serve(t, cfg, Deps{})
	defer calm.neighbour(t)()
	defer hasty.neighbour(t)()
	const line = "GET " + protocol.Path + " HTTP/1.1\r\nHost: im\r\n"
	for _, a := range []struct {
		name, send string
		again      string // is sent until the server has had enough
		slow       bool   // and not at once
		reason     event.HandshakeReason
	}{
		{"half open", "", "", false, event.HandshakeTimeout},
		{"slow headers", line, "X-Slow: 1\r\n", true, event.HandshakeTimeout},
		{"flood of headers", line, strings.Repeat("X-Flood: 0123456789\r\n", 100), false, event.HandshakeBadUpgrade},
		{"one endless header", line + "X-Long: ", strings.Repeat("x", 4096), false, event.HandshakeBadUpgrade},
		{"endless URL", "GET /", strings.Repeat("x", 4096), false, event.HandshakeBadUpgrade},
		{"long query", "GET " + protocol.Path + "?token=" + strings.Repeat("x", 40_000) + " HTTP/1.1\r\nHost: im\r\n\r\n", "", false, event.HandshakeBadUpgrade},
		{"no HTTP", strings.Repeat("\x16\x03\x01\x02\x00", 20) + "\r\n\r\n", "", false, event.HandshakeBadUpgrade},
	} {
		t.Run(a.name, func(t *testing.T) { //nolint:paralleltest // as said
			f := calm
			if a.reason == event.HandshakeTimeout {
				f = hasty
			}
			counted := f.metrics.handshakes.WithLabelValues("failure", a.reason.Stage, a.reason.Reason)
			before := testutil.ToFloat64(counted)
			peak := watchHeap()
			var ended sync.WaitGroup
			for range many {
				nc := f.raw()
				ended.Go(func() {
					_ = nc.SetDeadline(time.Now().Add(patient)) // the read says it
					_, err := nc.Write([]byte(a.send))
					for a.again != "" && err == nil {
						if _, err = nc.Write([]byte(a.again)); a.slow && !silent(nc) {
							break
						}
					}
					if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error("the server did not end it")
					}
				})
			}
			ended.Wait()
			f.log.wait(t, "handshake_failure", func(ev *event.Event) bool {
				return ev.Action() == event.ActionHandshakeFailure.Code && ev.Text(event.FieldEventReason) == a.reason.Reason
			})
			tick, late := time.NewTicker(10*time.Millisecond), time.After(patient)
			for testutil.ToFloat64(counted)-before != many { // a client may know of its end before the server has written of it
				select {
				case <-tick.C:
				case <-late:
					t.Fatalf("%v of %d were counted", testutil.ToFloat64(counted)-before, many)
				}
			}
			tick.Stop()
			if grown := peak(); grown > abusePeak {
				t.Errorf("the process grew by %d bytes", grown)
			}
		})
	}
}
