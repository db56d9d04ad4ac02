package event_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"imwatch/event"

	"pgregory.net/rapid"
)

func TestEncodeKeepsTheLine(t *testing.T) {
	e := decode(t, disconnectLine)
	if got := string(e.AppendJSON(nil)); got != disconnectLine {
		t.Errorf("got  %s\nwant %s", got, disconnectLine)
	}
}

// Every action as it is written, so that a change of a line's form is seen.
func TestActionLines(t *testing.T) {
	var buf bytes.Buffer
	for _, a := range event.Actions() {
		var e event.Event
		e.Begin(a, time.Date(2026, 11, 21, 10, 0, 0, 5e6, time.UTC))
		e.SetText(event.FieldEventID, "im-1-0000-0000000001")
		e.SetText(event.FieldClientIP, "192.0.2.1")
		e.SetLabel("team", `"im"`)
		buf.Write(e.AppendJSON(nil))
		buf.WriteByte('\n')
	}
	golden(t, "testdata/actions.golden.jsonl", buf.Bytes())
}

// randomEvent draws an event with any fields of the table and free ones.
func randomEvent(t *rapid.T) *event.Event {
	var e event.Event
	e.SetTime(event.FieldTimestamp, time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "at")))
	for _, f := range event.Fields()[1:] {
		if !rapid.Bool().Draw(t, "has "+f.Name) {
			continue
		}
		switch f.Type {
		case event.Keyword:
			e.SetList(f.ID, rapid.SliceOfN(rapid.StringN(1, 5, -1), 1, 3).Draw(t, f.Name)...)
		case event.Text:
			e.SetText(f.ID, rapid.String().Draw(t, f.Name))
		case event.Long:
			e.SetInt(f.ID, rapid.Int64().Draw(t, f.Name))
		case event.Float:
			e.SetFloat(f.ID, rapid.Float64().Draw(t, f.Name))
		case event.Bool:
			e.SetBool(f.ID, rapid.Bool().Draw(t, f.Name))
		case event.Date:
			e.SetTime(f.ID, time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, f.Name)))
		case event.IP:
			e.SetText(f.ID, rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1"}).Draw(t, f.Name))
		case event.GeoPoint:
			e.Set(f.ID, event.PointValue(rapid.Float64Range(-90, 90).Draw(t, f.Name), rapid.Float64Range(-180, 180).Draw(t, f.Name)))
		}
	}
	for _, l := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,5}`), 0, 3, rapid.ID).Draw(t, "labels") {
		e.SetLabel(l, rapid.String().Draw(t, "label"))
	}
	return &e
}

func TestDecodeOfEncodeIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := randomEvent(t)
		line := e.AppendJSON(nil)
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
		var back event.Event
		if err := event.Decode(line, &back); err != nil {
			t.Fatalf("decoding %s: %v", line, err)
		}
		if again := back.AppendJSON(nil); !bytes.Equal(line, again) {
			t.Fatalf("first  %s\nsecond %s", line, again)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(disconnectLine))
	f.Add([]byte(`{"@timestamp":"2026-11-21T10:00:00Z","labels":{"a":"b"},"x":{"y":[{}]},"client":{"geo":{"location":"1,2"}}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var e event.Event
		if event.Decode(line, &e) != nil {
			return
		}
		if !json.Valid(line) {
			t.Fatalf("took a line that is not JSON: %q", line)
		}
		out := e.AppendJSON(nil)
		var back event.Event
		if err := event.Decode(out, &back); err != nil && len(out) <= event.MaxLine {
			t.Fatalf("%q was written as %q: %v", line, out, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	line := []byte(disconnectLine)
	var e event.Event
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := event.Decode(line, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	var e event.Event
	if err := event.Decode([]byte(disconnectLine), &e); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendJSON(buf[:0])
	}
}

func TestFormatTime(t *testing.T) {
	base := time.Date(2026, 11, 21, 18, 0, 0, 0, time.FixedZone("", 8*3600))
	for ns, want := range map[int]string{
		0: "2026-11-21T10:00:00.000Z", 5e6: "2026-11-21T10:00:00.005Z", 123456: "2026-11-21T10:00:00.000123456Z", 500_000_100: "2026-11-21T10:00:00.5000001Z",
	} {
		if got := event.FormatTime(base.Add(time.Duration(ns))); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}
