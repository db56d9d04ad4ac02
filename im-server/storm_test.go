package imserver

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
)

// TestStorm lets many clients come, talk in rooms and go in every way at once, with a drain in the middle. What must hold
// after that is checked where every log is: one end for each start, nothing left in the hub, no place held.
func TestStorm(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Heartbeat = HeartbeatConfig{Interval: 50 * time.Millisecond, Timeout: 150 * time.Millisecond, MaxMissed: 3}
	cfg.Timeouts.Close, cfg.Log.MaxBytes, cfg.Log.Keep = 200*time.Millisecond, 32<<10, 0
	f := serve(t, cfg, Deps{})
	var clients sync.WaitGroup
	for i := range 300 {
		clients.Go(func() { behave(f, i) })
	}
	f.log.wait(t, "disconnects", func(*event.Event) bool { return f.ends.Load() > 150 })
	f.stop()
	clients.Wait()
	f.empty()
	inFile, onStdout := readLog(t, cfg.Log.Path), f.log.events
	if len(inFile) != len(onStdout) {
		t.Errorf("%d lines in the files, %d on standard output", len(inFile), len(onStdout))
	}
	for i := range min(len(inFile), len(onStdout)) {
		if inFile[i].ID() != onStdout[i].ID() {
			t.Fatalf("line %d is %s in the files, %s on standard output", i, inFile[i].ID(), onStdout[i].ID())
		}
	}
}

// behave is one client of the storm. A failed dial is the drain's.
func behave(f *fixture, i int) {
	ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", "?token="+tokenFor(f.t, fmt.Sprintf("u-%d", i%50))), nil)
	if err != nil {
		return
	}
	_ = res.Body.Close()
	defer ws.Close()
	say := func(format string, args ...any) {
		_ = ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...))
	}
	say(`{"v":1,"type":"subscribe","id":"j","payload":{"room":"r-%d"}}`, i%5)
	for n := range rand.IntN(20) {
		say(`{"v":1,"type":"publish","id":"m-%d","payload":{"room":"r-%d","body":"hi"}}`, n, i%5)
		say(`{"v":1,"type":"publish","id":"p-%d","payload":{"to":"u-%d","body":"hi"}}`, n, rand.IntN(50))
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
	switch i % 6 {
	case 0: // says goodbye
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	case 1: // is cut off
		(&client{Conn: ws, t: f.t}).reset()
		return
	case 2: // just goes
		return
	case 3: // breaks the protocol
		_, _ = ws.NetConn().Write([]byte{0x83, 0x00})
	case 4: // stops answering
		ws.SetPingHandler(func(string) error { return nil })
	case 5: // stays for the drain
	}
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

func (c *client) reset() {
	if c.tcp().SetLinger(0) == nil {
		_ = c.tcp().Close()
	}
}

// FuzzContinueTrace holds that whatever a client sends, the ids of its lines are good.
func FuzzContinueTrace(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	f.Fuzz(func(t *testing.T, header string) {
		got := continueTrace(header)
		if len(got.trace) != 32 || !traceHex(got.trace) || len(got.span) != 16 || !traceHex(got.span) || got.parent != "" && (len(got.parent) != 16 || !traceHex(got.parent)) {
			t.Fatalf("%q gives %+v", header, got)
		}
	})
}
