package imserver

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// speaker is a client of one codec.
type speaker struct {
	*websocket.Conn
	t     *testing.T
	codec protocol.Codec
}

func (f *fixture) speak(t *testing.T, user string, c protocol.Codec) *speaker {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"im.v9.unheard-of", c.Name()}}
	ws, res, err := dialer.Dial(f.url("ws", ""), http.Header{"Authorization": {"Bearer " + tokenFor(t, user)}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	if ws.Subprotocol() != c.Name() {
		t.Fatalf("%q was agreed on, not %s", ws.Subprotocol(), c.Name())
	}
	s := &speaker{ws, t, c}
	s.await(protocol.TypeHello)
	return s
}

func (s *speaker) kind(binary bool) int {
	if binary {
		return websocket.BinaryMessage
	}
	return websocket.TextMessage
}

func (s *speaker) say(e protocol.Envelope) {
	s.t.Helper()
	if err := s.WriteMessage(s.kind(s.codec.Binary()), s.codec.Append(nil, &e)); err != nil {
		s.t.Fatal(err)
	}
}

// await reads until an envelope of the type comes; each must be in the codec's kind of message.
func (s *speaker) await(typ protocol.Type) protocol.Envelope {
	s.t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(patient)); err != nil {
		s.t.Fatal(err)
	}
	for {
		kind, data, err := s.ReadMessage()
		if err != nil {
			s.t.Fatalf("%s: waiting for %s: %v", s.codec.Name(), typ, err)
		}
		if kind != s.kind(s.codec.Binary()) {
			s.t.Fatalf("%s came in a message of kind %d", s.codec.Name(), kind)
		}
		e, err := s.codec.Decode(data, protocol.FromServer)
		if err != nil {
			s.t.Fatalf("%s: %x: %v", s.codec.Name(), data, err)
		}
		if e.Type == typ {
			return e
		}
	}
}

// TestEachClientGetsItsOwnCodec lets a client of each codec write into one room, body and data, and wants the same with all.
func TestEachClientGetsItsOwnCodec(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	var all []*speaker
	for _, c := range protocol.Codecs() {
		s := f.speak(t, "u-"+c.Name(), c)
		s.say(protocol.Envelope{Type: protocol.TypeSubscribe, ID: "s", Payload: &protocol.Room{Room: "r"}})
		s.await(protocol.TypeAck)
		all = append(all, s)
	}
	body := json.RawMessage(`{"n":[1,-2,2.5,9007199254740993],"text":"hü \"x\"","none":null}`)
	for _, from := range all {
		for id, content := range map[string]protocol.Publish{"body": {Room: "r", Body: body}, "data": {Room: "r", Data: []byte{0, 0xff, '"'}}} {
			from.say(protocol.Envelope{Type: protocol.TypePublish, ID: id, Payload: &content})
			if ack, ok := from.await(protocol.TypeAck).Payload.(*protocol.Ack); !ok || ack.Ref != id || ack.Delivered != 2 {
				t.Errorf("%s: the ack of %s is %+v", from.codec.Name(), id, ack)
			}
			want := &protocol.Message{From: "u-" + from.codec.Name(), Room: "r", Body: content.Body, Data: content.Data}
			for _, to := range all {
				if to == from {
					continue
				}
				e := to.await(protocol.TypeMessage)
				if diff := cmp.Diff(protocol.Payload(want), e.Payload, sameValue()); diff != "" || e.ID != id {
					t.Errorf("from %s to %s, id %s (-want +got):\n%s", from.codec.Name(), to.codec.Name(), e.ID, diff)
				}
			}
		}
	}
}

// sameValue compares JSON by what it says, each digit of a number included.
func sameValue() cmp.Option {
	return cmp.Transformer("value", func(raw json.RawMessage) any {
		if raw == nil {
			return nil
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal(raw, &v); err != nil {
			return err.Error()
		}
		parts := map[string]string{}
		for key, value := range v {
			parts[key] = string(value)
		}
		return parts
	})
}

// TestTheOtherKindOfMessageIsRefused sends text to a binary codec and the reverse, and what is no envelope of the codec.
func TestTheOtherKindOfMessageIsRefused(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	for _, c := range protocol.Codecs() {
		wrongKind, wrongForm := protocol.CodeNotText, protocol.CodeBadJSON
		if c.Binary() {
			wrongKind, wrongForm = protocol.CodeNotBinary, protocol.CodeBadFormat
		}
		s := f.speak(t, "u-"+c.Name(), c)
		for _, tt := range []struct {
			kind int
			data string
			code protocol.Code
		}{{s.kind(!c.Binary()), `{"v":1,"type":"ping"}`, wrongKind}, {s.kind(c.Binary()), "}", wrongForm}} {
			if err := s.WriteMessage(tt.kind, []byte(tt.data)); err != nil {
				t.Fatal(err)
			}
			if e, ok := s.await(protocol.TypeError).Payload.(*protocol.Error); !ok || e.Code != tt.code {
				t.Errorf("%s: %q got %+v, want %s", c.Name(), tt.data, e, tt.code)
			}
			f.log.wait(t, "message_rejected of "+string(tt.code), func(ev *event.Event) bool {
				return ev.Action() == event.ActionMessageRejected.Code && ev.Text(event.FieldEventReason) == string(tt.code)
			})
		}
		s.say(protocol.Envelope{Type: protocol.TypePing, ID: "p"}) // and the connection goes on
		if e := s.await(protocol.TypePong); e.ID != "p" {
			t.Errorf("%s: the pong is %+v", c.Name(), e)
		}
	}
}
