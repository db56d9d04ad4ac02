package imserver

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// life gives how long the only connection lived.
func life(t *testing.T, f *fixture) time.Duration {
	t.Helper()
	return time.Duration(f.log.action(t, event.ActionDisconnect).Int(event.FieldEventDuration))
}

func TestIdleClientIsEnded(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *Config) { c.Limits.Idle = 10 * time.Minute }, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		done := readOn(ws)
		pass(9 * time.Minute)
		e := protocol.Envelope{Type: protocol.TypePing, ID: "p"}
		if err := ws.WriteMessage(websocket.TextMessage, protocol.JSON().Append(nil, &e)); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Minute) // pongs alone say nothing
		<-done
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{event.FieldCloseReason: "idle", event.FieldCloseCode: "4011"})
		if took := life(t, f); took < 19*time.Minute || took > 19*time.Minute+10*time.Second {
			t.Errorf("it lived for %v", took)
		}
	})
}

func TestOldConnectionIsSentAway(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *Config) { c.Limits.MaxLifetime = time.Hour }, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		done := readOn(dial("u-1"))
		pass(2 * time.Hour)
		<-done
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{
			event.FieldCloseReason: "max_lifetime", event.FieldEventOutcome: "success", event.FieldCloseRetry: "resume",
		})
		if took := life(t, f); took < 54*time.Minute || took > time.Hour+10*time.Second {
			t.Errorf("it lived for %v", took)
		}
	})
}
