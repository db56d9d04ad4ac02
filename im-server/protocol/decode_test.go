package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tinylib/msgp/msgp"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := JSON().Decode([]byte(" {\"v\":1, \"type\" :\"publish\",\"id\":\"m-\\u0031\",\n\"seq\":7,\"ts\":1763719200123,\"payload\":{\"room\":\"r-1\",\"body\":{\"a\":[\"}\\\"\",{}]}}} "), FromClient)
	if err != nil {
		t.Fatal(err)
	}
	want := Envelope{Type: TypePublish, ID: "m-1", Seq: 7, TS: 1763719200123, Payload: &Publish{Room: "r-1", Body: json.RawMessage(`{"a":["}\"",{}]}`)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
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
		{`{"v":1,"type":"publish","payload":{}}`, "id", CodeMissingField},
		{`{"v":1,"type":"hello"}`, "type", CodeNotForServer},
		{`{"v":1,"type":"ping","payload":{"a":1}}`, "payload", CodeUnknownField},
	} {
		_, err := JSON().Decode([]byte(tt.line), FromClient)
		f, ok := errors.AsType[*DecodeError](err)
		if !ok {
			t.Errorf("%s: %v is no *DecodeError", tt.line, err)
		} else if f.Code != tt.code || f.Field != tt.field {
			t.Errorf("%s: %s at %q, want %s at %q", tt.line, f.Code, f.Field, tt.code, tt.field)
		}
	}
}

func TestPayloadsAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typ, payload, text string }{
		{"publish", `{}`, "one of to, room and global"},
		{"publish", `{"to":"u","room":"r","body":1}`, "one of to, room and global"},
		{"publish", `{"to":"u"}`, "either body or data"},
		{"publish", `{"to":"u","body":1,"data":""}`, "either body or data"},
		{"publish", `{"to":"u","data":"a"}`, "payload.data: must be base64 with padding"},
		{"publish", `{"to":"u","data":5}`, "payload.data: must be a string, not a number"},
		{"publish", `{"from":"x","to":"u","body":1}`, "payload.from: unknown field; allowed are to, room, global, body, data"},
		{"publish", `{"":"x","to":"u","body":1}`, "payload.: unknown field"},
		{"publish", `{"to":5,"body":1}`, "payload.to: must be a string, not a number"},
		{"publish", `{"to":"u","to":"w","body":1}`, "payload.to: stands twice"},
		{"subscribe", `{}`, "payload.room: missing"},
		{"subscribe", `{"room":""}`, "payload.room: must have 1 to 128 bytes"},
		{"ack", `{}`, "payload.seq: missing"},
		{"ack", `{"ref":"a","seq":1}`, "payload.ref: unknown field; allowed are seq"},
		{"ack", `{"seq":true}`, "must be a whole number from 0 to 2^53-1, not true"},
		{"presence", `{}`, "either users or room"},
		{"presence", `{"users":"u"}`, "payload.users: must be a list, not a string"},
		{"presence", `{"users":["u",5]}`, "payload.users: must be a string, not a number"},
		{"presence", `{"users":["u"],"watch":1}`, "payload.watch: must be true or false, not 1"},
		{"presence", `{"users":[` + strings.Repeat(`"u",`, MaxUsers) + `"u"]}`, "payload.users: more than 100"},
		{"kick", `{}`, "either device or connection_id"},
		{"resume", `{"session_id":"s"}`, "payload.epoch: missing"},
	} {
		line := fmt.Sprintf(`{"v":1,"type":%q,"id":"i","payload":%s}`, tt.typ, tt.payload)
		if e, err := JSON().Decode([]byte(line), FromClient); err == nil || !strings.Contains(err.Error(), tt.text) || e.ID != "i" {
			t.Errorf("%s: error %v, want %q in it, and the id, not %q", line, err, tt.text, e.ID)
		}
	}
}

func TestAClientPassesOverWhatIsNew(t *testing.T) {
	t.Parallel()
	line := []byte(`{"v":1,"type":"hello","flags":"e","payload":{"connection_id":"c","session_id":"s","heartbeat_ms":30000,"server_time":5,"more":{}}}`)
	e, err := JSON().Decode(line, FromServer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Hello{ConnectionID: "c", SessionID: "s", HeartbeatMS: 30000, ServerTime: 5}, e.Payload); diff != "" {
		t.Errorf("hello (-want +got):\n%s", diff)
	}
}

func TestCloseText(t *testing.T) {
	t.Parallel()
	for _, want := range []CloseText{{Reason: "drain", RetryMS: 1834}, {Reason: "heartbeat_timeout"}, {Reason: "drain", RetryMS: 1, Fresh: true}} {
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

// filler puts drawn values into the fields of a payload.
type filler struct{ t *rapid.T }

func (f filler) text(fd field, v *string) {
	if fd.need || rapid.Bool().Draw(f.t, fd.name+"?") {
		*v = genName(min(fd.max, MaxName)).Draw(f.t, fd.name)
	}
}

func (f filler) number(fd field, v *int64) {
	*v = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 1<<53-1)).Draw(f.t, fd.name)
}
func (f filler) flag(fd field, v *bool) { *v = rapid.Bool().Draw(f.t, fd.name) }

func (f filler) value(fd field, v *json.RawMessage) {
	*v = json.RawMessage(rapid.SampledFrom([]string{`1`, `null`, `"a\"b"`, `{"text":"hü","n":[1,2.5,-3e7,true,{}]}`, `[]`}).Draw(f.t, fd.name))
}

func (f filler) object(fd field, v *json.RawMessage) {
	*v = json.RawMessage(rapid.SampledFrom([]string{`{}`, `{"text":{"n":[1]}}`}).Draw(f.t, fd.name))
}

func (f filler) bytes(fd field, v *[]byte) {
	if rapid.Bool().Draw(f.t, fd.name+"?") {
		*v = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(f.t, fd.name)
	}
}

func (f filler) texts(fd field, v *[]string) {
	*v = rapid.SliceOfN(genName(fd.max), 1, 3).Draw(f.t, fd.name)
}

func (f filler) records(fd field, v records) {
	for range rapid.IntRange(0, 3).Draw(f.t, fd.name) {
		v.add().walk(f)
	}
}

// genEnvelope draws an envelope of one side that is valid.
func genEnvelope(from Side) *rapid.Generator[Envelope] {
	return rapid.Custom(func(t *rapid.T) Envelope {
		var types []Type
		for _, typ := range Types() {
			if typ.spec().from&from != 0 {
				types = append(types, typ)
			}
		}
		e := Envelope{
			Type: rapid.SampledFrom(types).Draw(t, "type"), ID: genName(MaxID).Draw(t, "id"),
			Seq: rapid.Int64Range(0, 1<<53-1).Draw(t, "seq"), TS: rapid.Int64Range(0, 1<<53-1).Draw(t, "ts"),
		}
		if e.Payload = e.Type.payload(from); e.Payload == nil {
			return e
		}
		e.Payload.walk(filler{t})
		one := rapid.SampledFrom([]string{"to", "room", "global"}).Draw(t, "where")
		where := func(to, room, global *string, body *json.RawMessage, data *[]byte) {
			*to, *room, *global = "", "", ""
			*map[string]*string{"to": to, "room": room, "global": global}[one] = "x"
			if *data != nil {
				*body = nil
			}
		}
		switch p := e.Payload.(type) {
		case *Publish:
			where(&p.To, &p.Room, &p.Global, &p.Body, &p.Data)
		case *Message:
			where(&p.To, &p.Room, &p.Global, &p.Body, &p.Data)
		case *PresenceAsk:
			if p.Room != "" {
				p.Users = nil
			}
		case *Kick:
			if p.ConnectionID = ""; p.Device == "" {
				p.ConnectionID = "c"
			}
		}
		return e
	})
}

func TestWhatIsAppendedIsDecoded(t *testing.T) {
	t.Parallel()
	for _, c := range Codecs() {
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				from := rapid.SampledFrom([]Side{FromClient, FromServer}).Draw(t, "from")
				want := genEnvelope(from).Draw(t, "envelope")
				whole := c.Append(nil, &want)
				got, err := c.Decode(whole, from)
				if err != nil {
					t.Fatalf("%s: %v", whole, err)
				}
				if diff := cmp.Diff(want, got, sameJSON()); diff != "" {
					t.Fatalf("envelope (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(string(whole), string(c.AppendNumbered(nil, c.Split(&want), want.Seq))); diff != "" {
					t.Fatalf("parts joined (-whole +joined):\n%s", diff)
				}
			})
		})
	}
}

// sameJSON compares JSON by what it says.
func sameJSON() cmp.Option {
	isJSON := func(p cmp.Path) bool { return p.Last().Type() == reflect.TypeFor[json.RawMessage]() }
	return cmp.FilterPath(isJSON, cmp.Transformer("json", func(raw json.RawMessage) (v any) {
		if raw == nil {
			return nil
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			return err.Error()
		}
		return v
	}))
}

// TestEachCodecSaysTheSame takes an envelope through all codecs, one after another.
func TestEachCodecSaysTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]Side{FromClient, FromServer}).Draw(t, "from")
		want := genEnvelope(from).Draw(t, "envelope")
		got := want
		for _, c := range rapid.Permutation(Codecs()).Draw(t, "codecs") {
			var err error
			wire := c.Append(nil, &got)
			if got, err = c.Decode(wire, from); err != nil {
				t.Fatalf("%s of %x: %v", c.Name(), wire, err)
			}
		}
		if diff := cmp.Diff(want, got, sameJSON()); diff != "" {
			t.Fatalf("envelope (-want +got):\n%s", diff)
		}
	})
}

func TestBinaryCodecsRefuse(t *testing.T) {
	t.Parallel()
	pack := func(dst []byte, v any) []byte {
		b, err := msgp.AppendIntf(dst, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	envelope := func(payload map[string]any) []byte {
		return pack(nil, map[string]any{"v": 1, "type": "publish", "id": "i", "payload": payload})
	}
	proto := func(num protowire.Number, b []byte) []byte { return publishInProtobuf(t, num, b) }
	for _, tt := range []struct {
		c     Codec
		data  []byte
		code  Code
		where string
	}{
		{MessagePack(), nil, CodeBadFormat, ""},
		{MessagePack(), []byte{0x93}, CodeBadFormat, ""},
		{MessagePack(), pack(nil, map[string]any{"v": 2, "type": "ping"}), CodeUnsupportedVersion, "v"},
		{MessagePack(), append(pack(nil, map[string]any{"v": 1, "type": "ping"}), 0), CodeBadFormat, ""},
		{MessagePack(), pack(nil, map[string]any{"v": 1, "type": "pong", "x": 1}), CodeUnknownField, "x"},
		{MessagePack(), []byte{0x82, 0xa1, 'v', 1, 0xa1, 'v', 1}, CodeDuplicateField, "v"},
		{MessagePack(), []byte{0xdf, 0xff, 0xff, 0xff, 0xff}, CodeUnknownField, ""},
		{MessagePack(), []byte{0x81, 0xa1, 'v', 0xdd, 0xff, 0xff, 0xff, 0xff}, CodeBadFormat, "v"},
		{MessagePack(), append([]byte{0x81, 0xa1, 'v'}, bytes.Repeat([]byte{0x91}, 10_000)...), CodeBadFormat, "v"},
		{MessagePack(), envelope(map[string]any{"to": "u", "body": []byte{1}}), CodeBadField, "payload.body"},
		{MessagePack(), envelope(map[string]any{"to": "u", "body": math.NaN()}), CodeBadField, "payload.body"},
		{MessagePack(), envelope(map[string]any{"to": 5, "body": 1}), CodeBadField, "payload.to"},
		{MessagePack(), envelope(map[string]any{"to": "\xff", "body": 1}), CodeBadFormat, "payload.to"},
		{MessagePack(), envelope(map[string]any{"to": "u", "data": "x"}), CodeBadField, "payload.data"},
		{MessagePack(), envelope(map[string]any{"to": "u", "body": 1, "y": 1}), CodeUnknownField, "payload.y"},
		{Protobuf(), nil, CodeMissingField, "v"},
		{Protobuf(), []byte{0xff}, CodeBadFormat, ""},
		{Protobuf(), []byte{0x08, 2}, CodeUnsupportedVersion, "v"},
		{Protobuf(), []byte{0x08, 1, 0x08, 1}, CodeDuplicateField, "v"},
		{Protobuf(), []byte{0x08, 1, 0x10, 99}, CodeUnknownType, "type"},
		{Protobuf(), []byte{0x08, 1, 0x10, 4, 0x30, 1}, CodeUnknownField, ""},
		{Protobuf(), proto(24, []byte{0x2a, 0}), CodeMissingField, "payload"},
		{Protobuf(), proto(24, []byte{0x08, 1}), CodeBadField, "payload.to"},
		{Protobuf(), proto(24, []byte{0x0a, 1, 'u', 0x0a, 1, 'u'}), CodeDuplicateField, "payload.to"},
		{Protobuf(), proto(24, []byte{0x0a, 1, 'u', 0x22, 1, '{'}), CodeBadField, "payload.body"},
		{Protobuf(), proto(24, []byte{0x0a, 1, 'u', 0x22, 1, '1', 0x48, 1}), CodeUnknownField, "payload"},
		{Protobuf(), proto(23, nil), CodeBadField, "payload"},
	} {
		_, err := tt.c.Decode(tt.data, FromClient)
		if f, ok := errors.AsType[*DecodeError](err); !ok || f.Code != tt.code || f.Field != tt.where {
			t.Errorf("%s of %x: %#v, want %s at %q", tt.c.Name(), tt.data[:min(len(tt.data), 60)], err, tt.code, tt.where)
		}
	}
}

// publishInProtobuf is a publish in Protobuf with this payload.
func publishInProtobuf(t *testing.T, num protowire.Number, payload []byte) []byte {
	t.Helper()
	b := []byte{0x08, 1, 0x10, 9, 0x1a, 1, 'i'}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), payload)
}

// fuzzBinary holds that decoding never panics, and that what it takes comes back the same.
func fuzzBinary(f *testing.F, c Codec) {
	f.Helper()
	for _, line := range []string{
		`{"v":1,"type":"ping"}`, `{"v":1,"type":"publish","id":"m","payload":{"to":"u","body":[1,-2,2.5,{"a":"x","b":[true,null]}]}}`,
		`{"v":1,"type":"ack","payload":{"seq":4}}`, `{"v":1,"type":"presence","id":"p","payload":{"users":["a","b"],"watch":true}}`,
		`{"v":1,"type":"publish","id":"m","payload":{"to":"u","data":"AAE="}}`, `{"v":1,"type":"echo","payload":{"a":{}}}`,
	} {
		e, err := JSON().Decode([]byte(line), FromClient)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.Append(nil, &e))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, from := range []Side{FromClient, FromServer} {
			e, err := c.Decode(data, from)
			if err != nil {
				continue
			}
			for _, through := range Codecs() {
				again, err := through.Decode(through.Append(nil, &e), from)
				if err != nil {
					t.Fatalf("%x through %s: %v", data, through.Name(), err)
				}
				if diff := cmp.Diff(e, again, sameJSON()); diff != "" {
					t.Fatalf("%x changed through %s:\n%s", data, through.Name(), diff)
				}
			}
		}
	})
}

func FuzzMessagePack(f *testing.F) { fuzzBinary(f, MessagePack()) }
func FuzzProtobuf(f *testing.F)    { fuzzBinary(f, Protobuf()) }

// FuzzJSON holds that decoding never panics, that what it takes encoding/json takes, and that encoding and decoding
// again changes nothing.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"v":1,"type":"ping"}`, `{"v":1,"type":"publish","id":"m","payload":{"to":"u","body":[1,{"a":"\"}"}]}}`,
		`{"v":1,"type":"ack","payload":{"seq":4}}`, "{\"v\":1 ,\"type\":\"\\u0070ing\"\t}", `{"v":1,"type":"error","payload":{"code":"x","text":""}}`,
		`{"v":1,"type":"presence","payload":{"states":[{"user":"u","online":true},{"user":"v"}]}}`, `{"v":1,"type":"echo","payload":{"a":{}}}`,
		`{"v":1,"type":"presence","id":"p","payload":{"users":["a","b"],"watch":true}}`, `{"v":1,"type":"publish","id":"m","payload":{"to":"u","data":"AAE="}}`,
	} {
		f.Add([]byte(s))
	}
	c := JSON()
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, from := range []Side{FromClient, FromServer} {
			e, err := c.Decode(data, from)
			if err != nil {
				continue
			}
			if !json.Valid(data) {
				t.Fatalf("%q was taken", data)
			}
			again, err := c.Decode(c.Append(nil, &e), from)
			if err != nil {
				t.Fatalf("%q became %q: %v", data, c.Append(nil, &e), err)
			}
			if diff := cmp.Diff(e, again, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%q changed:\n%s", data, diff)
			}
		}
		_, _ = ParseCloseText(string(data)) // only a panic is a fault here
	})
}

func BenchmarkCodecs(b *testing.B) {
	in := Envelope{Type: TypePublish, ID: "m-123456", TS: 1763719200123, Payload: &Publish{Room: "r-1", Body: json.RawMessage(`{"text":"` + strings.Repeat("x", 64) + `"}`)}}
	out := Envelope{Type: TypeMessage, ID: "m-123456", TS: 1763719200123, Payload: &Message{From: "u-1", Room: "r-1", Body: json.RawMessage(`{"text":"` + strings.Repeat("x", 64) + `"}`)}}
	for _, c := range Codecs() {
		wire := c.Append(nil, &in)
		b.Run(c.Name()+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Decode(wire, FromClient); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.Name()+"/append", func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = c.Append(buf[:0], &out)
			}
		})
	}
}
