package protocol

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := Decode([]byte(" {\"v\":1, \"type\" :\"message\",\"id\":\"m-\\u0031\",\n\"seq\":7,\"ts\":1763719200123,\"payload\":{\"room\":\"r-1\",\"body\":{\"a\":[\"}\\\"\",{}]}}} "), Strict)
	if err != nil {
		t.Fatal(err)
	}
	want := Envelope{Type: TypeMessage, ID: "m-1", Seq: 7, TS: 1763719200123, Payload: json.RawMessage(`{"room":"r-1","body":{"a":["}\"",{}]}}`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
	m, err := ParseMessage(got.Payload, Strict)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Message{Room: "r-1", Body: json.RawMessage(`{"a":["}\"",{}]}`)}, m); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line, field string
		code        Code
	}{
		{``, "", CodeBadJSON},
		{`[]`, "", CodeBadJSON},
		{`null`, "", CodeBadJSON},
		{`{"v":1`, "", CodeBadJSON},
		{`{"v":1,"type":"ping"} {}`, "", CodeBadJSON},
		{"{\"v\":1,\"type\":\"ping\",\"id\":\"\xff\"}", "", CodeBadJSON},
		{`{"type":"ping"}`, "v", CodeMissingField},
		{`{"v":2,"type":"ping"}`, "v", CodeUnsupportedVersion},
		{`{"v":"1","type":"ping"}`, "v", CodeUnsupportedVersion},
		{`{"v":1}`, "type", CodeMissingField},
		{`{"v":1,"type":"Ping"}`, "type", CodeUnknownType},
		{`{"v":1,"type":7}`, "type", CodeBadField},
		{`{"v":1,"type":null}`, "type", CodeBadField},
		{`{"v":1,"type":"ping","type":"pong"}`, "type", CodeDuplicateField},
		{`{"v":1,"type":"ping","\u0074ype":"pong"}`, "type", CodeDuplicateField},
		{`{"v":1,"type":"ping","x":1}`, "x", CodeUnknownField},
		{`{"v":1,"type":"ping","id":""}`, "id", CodeBadField},
		{`{"v":1,"type":"ping","id":"a\nb"}`, "id", CodeBadField},
		{`{"v":1,"type":"ping","id":"\ud800"}`, "id", CodeBadField},
		{`{"v":1,"type":"ping","id":"` + strings.Repeat("i", MaxID+1) + `"}`, "id", CodeBadField},
		{`{"v":1,"type":"ping","seq":-1}`, "seq", CodeBadField},
		{`{"v":1,"type":"ping","seq":1.5}`, "seq", CodeBadField},
		{`{"v":1,"type":"ping","ts":9007199254740992}`, "ts", CodeBadField},
		{`{"v":1,"type":"ping","payload":[]}`, "payload", CodeBadField},
		{`{"v":1,"type":"message","payload":{}}`, "id", CodeMissingField},
	} {
		_, err := Decode([]byte(tt.line), Strict)
		f, ok := errors.AsType[*DecodeError](err)
		if !ok {
			t.Errorf("%s: %v is no *DecodeError", tt.line, err)
		} else if f.Code != tt.code || f.Field != tt.field {
			t.Errorf("%s: %s at %q, want %s at %q", tt.line, f.Code, f.Field, tt.code, tt.field)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	message := func(b []byte) error { _, err := ParseMessage(b, Strict); return err }
	room := func(b []byte) error { _, err := ParseRoom(b, Strict); return err }
	ack := func(b []byte) error { _, err := ParseAck(b, Strict); return err }
	for _, tt := range []struct {
		parse         func([]byte) error
		payload, text string
	}{
		{message, ``, "either to or room"},
		{message, `{"to":"u","room":"r","body":1}`, "either to or room"},
		{message, `{"to":"u"}`, "payload.body: missing"},
		{message, `{"from":"x","to":"u","body":1}`, "payload.from: unknown field; allowed are to, room, body"},
		{message, `{"to":5,"body":1}`, "payload.to: must be a string, not a number"},
		{message, `{"to":"u","to":"w","body":1}`, "payload.to: stands twice"},
		{room, `{}`, "payload.room: missing"},
		{room, `{"room":""}`, "payload.room: must have 1 to 128 bytes"},
		{ack, `{}`, "either ref or seq"},
		{ack, `{"ref":"a","seq":1}`, "either ref or seq"},
		{ack, `{"seq":true}`, "must be a whole number from 0 to 2^53-1, not true"},
	} {
		if err := tt.parse([]byte(tt.payload)); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: error %v, want %q in it", tt.payload, err, tt.text)
		}
	}
}

func TestLenientPassesOverWhatIsNew(t *testing.T) {
	t.Parallel()
	e, err := Decode([]byte(`{"v":1,"type":"hello","epoch":"e","payload":{"connection_id":"c","session_id":"s","heartbeat_ms":30000,"server_time":5,"resume":{}}}`), Lenient)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHello(e.Payload, Lenient)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Hello{ConnectionID: "c", SessionID: "s", HeartbeatMS: 30000, ServerTime: 5}, h); diff != "" {
		t.Errorf("hello (-want +got):\n%s", diff)
	}
	if _, err := ParseHello(e.Payload, Strict); err == nil {
		t.Error("a strict reader took an unknown field")
	}
}

func TestCloseText(t *testing.T) {
	t.Parallel()
	for _, want := range []CloseText{{Reason: "drain", RetryMS: 1834}, {Reason: "heartbeat_timeout"}} {
		text := string(want.Append(nil))
		got, err := ParseCloseText(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, bad := range []string{"", "bye", `{"retry_ms":1}`, `{"r":"` + strings.Repeat("r", 130) + `"}`} {
		if _, err := ParseCloseText(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// genName makes what name accepts.
func genName(most int) *rapid.Generator[string] {
	return rapid.StringN(1, most/4, most).Filter(func(s string) bool { return checkName(s, "", most) == nil })
}

func TestWhatIsAppendedIsDecoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := Message{Body: json.RawMessage(`{"text":1}`), From: genName(MaxName).Draw(t, "from")}
		if rapid.Bool().Draw(t, "private") {
			m.To = genName(MaxName).Draw(t, "to")
		} else {
			m.Room = genName(MaxName).Draw(t, "room")
		}
		want := Envelope{
			Type: rapid.SampledFrom(Types()).Draw(t, "type"), ID: genName(MaxID).Draw(t, "id"),
			Seq: rapid.Int64Range(0, 1<<53-1).Draw(t, "seq"), TS: rapid.Int64Range(0, 1<<53-1).Draw(t, "ts"), Payload: m.Append(nil),
		}
		got, err := Decode(want.Append(nil), Strict)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("envelope (-want +got):\n%s", diff)
		}
		head, tail := want.Split()
		if diff := cmp.Diff(string(want.Append(nil)), string(AppendNumbered(nil, head, want.Seq, tail))); diff != "" {
			t.Fatalf("parts joined (-whole +joined):\n%s", diff)
		}
		gotMessage, err := ParseMessage(got.Payload, Lenient)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, gotMessage); diff != "" {
			t.Fatalf("message (-want +got):\n%s", diff)
		}
	})
}

func TestPayloadsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []Ack{{Ref: `a"b`, Delivered: 3}, {Seq: 9}} {
		if got, err := ParseAck(want.Append(nil), Strict); err != nil || got != want {
			t.Errorf("ack %+v came back as %+v, %v", want, got, err)
		}
	}
	wantErr := Error{Code: CodeBadField, Text: "payload.to: ü", Ref: "m-1"}
	if got, err := ParseError(wantErr.Append(nil), Strict); err != nil || got != wantErr {
		t.Errorf("error %+v came back as %+v, %v", wantErr, got, err)
	}
	wantRoom := Room{Room: "général"}
	if got, err := ParseRoom(wantRoom.Append(nil), Strict); err != nil || got != wantRoom {
		t.Errorf("room %+v came back as %+v, %v", wantRoom, got, err)
	}
	wantHello := Hello{"c", "s", 30_000, 1_763_719_200_123}
	if got, err := ParseHello(wantHello.Append(nil), Strict); err != nil || got != wantHello {
		t.Errorf("hello %+v came back as %+v, %v", wantHello, got, err)
	}
}

// FuzzDecode holds that decoding never panics, that what it takes encoding/json takes, and that encoding and decoding
// again changes nothing.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"v":1,"type":"ping"}`, `{"v":1,"type":"message","id":"m","payload":{"to":"u","body":[1,{"a":"\"}"}]}}`,
		`{"v":1,"type":"ack","payload":{"seq":4}}`, "{\"v\":1 ,\"type\":\"\\u0070ing\"\t}", `{"v":1,"type":"error","payload":{"code":"x","text":""}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, mode := range []Mode{Strict, Lenient} {
			e, err := Decode(data, mode)
			if err != nil {
				continue
			}
			if !json.Valid(data) || len(e.Payload) > 0 && !json.Valid(e.Payload) {
				t.Fatalf("%q was taken with payload %q", data, e.Payload)
			}
			again, err := Decode(e.Append(nil), Strict)
			if err != nil {
				t.Fatalf("%q became %q: %v", data, e.Append(nil), err)
			}
			if diff := cmp.Diff(e, again); diff != "" {
				t.Fatalf("%q changed:\n%s", data, diff)
			}
			parseAll(t, e.Payload, mode)
		}
		_, _ = ParseCloseText(string(data)) // only a panic is a fault here
	})
}

func parseAll(t *testing.T, payload []byte, mode Mode) {
	t.Helper()
	if m, err := ParseMessage(payload, mode); err == nil {
		again, err := ParseMessage(m.Append(nil), Lenient)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("message changed:\n%s", diff)
		}
	}
	_, _ = ParseHello(payload, mode)
	_, _ = ParseRoom(payload, mode)
	_, _ = ParseAck(payload, mode)
	_, _ = ParseError(payload, mode)
}

func BenchmarkDecode(b *testing.B) {
	line := []byte(`{"v":1,"type":"message","id":"m-123456","ts":1763719200123,"payload":{"room":"r-1","body":{"text":"` + strings.Repeat("x", 64) + `"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		e, err := Decode(line, Strict)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseMessage(e.Payload, Strict); err != nil {
			b.Fatal(err)
		}
	}
}
