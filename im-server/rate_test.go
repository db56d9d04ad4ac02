package imserver

import (
	"errors"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// TestMessageFlood: who sends too many messages is told with each, has a line each 10 s for all of them, and is closed
// when it goes on for 30 s.
func TestMessageFlood(t *testing.T) {
	t.Parallel()
	limits := func(c *Config) { c.Limits.MessageRate, c.Limits.MessageBurst = 10, 20 }
	bubble(t, limits, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		refused, done := 0, make(chan error)
		go func() {
			for {
				_, data, err := ws.ReadMessage()
				if err != nil {
					done <- err
					return
				}
				e, err := protocol.JSON().Decode(data, protocol.FromServer)
				if err != nil {
					t.Error(err)
				}
				if p, ok := e.Payload.(*protocol.Error); ok && p.Code == protocol.CodeRateLimited && p.RetryMS > 0 {
					refused++
				}
			}
		}()
		began := time.Now()
		for ws.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"type":"ping"}`)) == nil && len(f.log.all(event.ActionDisconnect)) == 0 {
			pass(50 * time.Millisecond)
		}
		_ = ws.Close()
		if ce, ok := errors.AsType[*websocket.CloseError](<-done); !ok || ce.Code != event.CloseRateLimited.Code || ce.Text != `{"r":"rate_limited","retry_ms":30000}` {
			t.Errorf("the client was told %v", ce)
		}
		if took := time.Since(began); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("the end came after %v", took)
		}
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{event.FieldCloseReason: "rate_limited", event.FieldCloseInitiator: "server"})
		lines, weight := f.log.all(event.ActionRateLimited), 0.0
		for _, ev := range lines {
			want(t, ev, map[event.FieldID]string{event.FieldEventReason: "rate_limited", event.FieldUserID: "u-1"})
			weight += ev.Weight()
		}
		if len(lines) < 3 || len(lines) > 6 || refused < 200 || weight < float64(refused) || weight > float64(refused)+1 {
			t.Errorf("%d messages were refused, of which %d lines say %v", refused, len(lines), weight)
		}
	})
}
