package protocol

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"
)

// goldenFile keeps the bytes of each payload in each codec: clients of other hands rely on them.
const goldenFile = "testdata/golden.txt"

// steady gives fixed values to the fields of a payload, one after another; what excludes one another is in skip.
type steady struct {
	n    *int64
	skip string
	mark string // ends each text
}

func (s steady) next(fd field) (int64, bool) {
	*s.n++
	return *s.n, fd.need || !strings.Contains(s.skip, " "+fd.name+" ")
}

func (s steady) text(fd field, v *string) {
	if n, ok := s.next(fd); ok {
		*v = fmt.Sprintf("%s-%d%s", fd.name, n, s.mark)
	}
}

func (s steady) number(fd field, v *int64) {
	if n, ok := s.next(fd); ok {
		*v = n * 100_000_007
	}
}
func (s steady) flag(fd field, v *bool) { _, *v = s.next(fd) }

func (s steady) value(fd field, v *json.RawMessage) {
	if _, ok := s.next(fd); ok {
		*v = json.RawMessage(`{"text":"hü","n":[0,-33,65536,2.5,true,null],"o":{}}`)
	}
}
func (s steady) object(fd field, v *json.RawMessage) { s.value(fd, v) }

func (s steady) bytes(fd field, v *[]byte) {
	if _, ok := s.next(fd); ok {
		*v = []byte{0, 1, 0xff}
	}
}

func (s steady) texts(fd field, v *[]string) {
	if _, ok := s.next(fd); ok {
		*v = []string{"a", "b"}
	}
}

func (s steady) records(fd field, v records) {
	for range 2 {
		v.add().walk(s)
	}
}

// goldenEnvelopes gives envelopes of each type of a side, with all fields that may stand together.
func goldenEnvelopes(from Side, mark string) (list []Envelope) {
	for _, typ := range Types() {
		if typ.spec().from&from == 0 {
			continue
		}
		skips := []string{" room global data connection_id ", " to global body users watch device "}
		switch typ.payload(from).(type) {
		case *Publish, *Message, *PresenceAsk, *Kick:
		default: // nothing excludes anything
			skips = []string{""}
		}
		for _, skip := range skips {
			e := Envelope{Type: typ, ID: "i-1", Seq: 7, TS: 1763719200123, Payload: typ.payload(from)}
			if e.Payload != nil {
				e.Payload.walk(steady{new(int64), skip, mark})
			}
			list = append(list, e)
		}
	}
	return list
}

// TestGoldenBytes holds each codec to the bytes that were published, and reads these again.
func TestGoldenBytes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, from := range []Side{FromClient, FromServer} {
		for _, e := range goldenEnvelopes(from, "ü") {
			fmt.Fprintf(&b, "%s from %d\n", e.Type, from)
			for _, c := range Codecs() {
				wire := c.Append(nil, &e)
				if c.Binary() {
					fmt.Fprintf(&b, "  %x\n", wire)
				} else {
					fmt.Fprintf(&b, "  %s\n", wire)
				}
				got, err := c.Decode(wire, from)
				if err != nil {
					t.Fatalf("%s in %s: %v", e.Type, c.Name(), err)
				}
				if diff := cmp.Diff(e, got, sameJSON()); diff != "" {
					t.Errorf("%s in %s (-want +got):\n%s", e.Type, c.Name(), diff)
				}
			}
		}
	}
	if *update {
		if err := os.WriteFile(goldenFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("what is on the wire has changed, which breaks clients (-published +now):\n%s", diff)
	}
}

// TestMessagePackIsPlain reads our MessagePack with a reader that knows nothing of the protocol, and finds our JSON in it.
func TestMessagePackIsPlain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]Side{FromClient, FromServer}).Draw(t, "from")
		e := genEnvelope(from).Draw(t, "envelope")
		e.Seq = max(e.Seq, 1) // JSON does not write a 0
		v, rest, err := msgp.ReadIntfBytes(MessagePack().Append(nil, &e))
		if err != nil || len(rest) != 0 {
			t.Fatalf("%d bytes left, %v", len(rest), err)
		}
		if envelope, ok := v.(map[string]any); ok {
			if payload, ok := envelope["payload"].(map[string]any); ok {
				if data, ok := payload["data"].([]byte); ok && len(data) == 0 {
					payload["data"] = []byte{} // which the reader gives as nil
				}
			}
		}
		plain, err := json.Marshal(v) // bin becomes base64, as the JSON codec has it
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(plain, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(JSON().Append(nil, &e), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-json +msgpack):\n%s", diff)
		}
	})
}
