package shipper

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/shipper/parse/mapping"
)

// events gives what was shipped, in the order of the log, as path, message and truncated flag.
func events(tb testing.TB, b bus.Bus) []string {
	tb.Helper()
	var out []string
	for _, m := range all(tb, b, bus.TopicLifecycle) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			tb.Fatalf("%v in %s", err, m.Value)
		}
		if !e.IsWatermark() {
			cut, _ := e.Lookup("labels.truncated")
			out = append(out, fmt.Sprintf("%06d %s %s", e.Int(event.FieldLogOffset), e.Text(event.FieldErrorMessage), cut.Text))
		}
	}
	slices.Sort(out)
	return out
}

// text is a source of text lines: a time, and what happened.
func text(paths ...string) Source {
	return Source{
		Paths: paths, Format: "grok", Node: "n", Pattern: mapping.Names{`(?s)^%{TIMESTAMP_ISO8601:timestamp} %{GREEDYDATA:error.message}$`},
		Fields: []mapping.Field{{To: "event.action", Value: "dependency_down"}},
	}
}

// Windows' ends of lines, a byte order mark and bytes 0 in front of a line are none of it.
func TestOddEndsAndBeginnings(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	appendTo(t, live, "\ufeff2026-11-21T10:00:00Z one\r\n\r\n2026-11-21T10:00:01Z two\r\n\x00\x00\x002026-11-21T10:00:02Z three\n\x00\n")
	cfg := config(dir, live)
	cfg.Sources = []Source{text(live)}
	once(t, cfg, b)
	want := []string{"000000 one ", "000031 two ", "000060 three "}
	if got := events(t, b); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if l := letters(t, b); len(l) > 0 {
		t.Errorf("%+v", l)
	}
}

// In text what is not UTF-8 is replaced where it stands, and bytes 0 are kept; JSON with either is kept as it was.
func TestInvalidBytesAreKept(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	appendTo(t, live, "2026-11-21T10:00:00Z caf\xe9\n2026-11-21T10:00:01Z a\x00b\n")
	appendTo(t, live+".json", `{"message":"caf`+"\xe9"+`"}`+"\n"+`{"message":"a`+"\x00"+`b"}`+"\n")
	cfg := config(dir, live+".json")
	cfg.Sources = append(cfg.Sources, text(live))
	once(t, cfg, b)
	got := events(t, b)
	for _, l := range letters(t, b) {
		got = append(got, l.Reason+" "+l.Encoding+" "+l.Original)
	}
	want := []string{
		"000000 caf\ufffd ", "000026 a\x00b ",
		"utf8 base64 eyJtZXNzYWdlIjoiY2Fm6SJ9", "json base64 eyJtZXNzYWdlIjoiYQBiIn0=",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A stack trace is one event, with the offset of its first line, over rotations and restarts.
func TestStackTraces(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	cfg := config(dir, live)
	src := text(live)
	src.Multiline = &Multiline{Start: `^\d{4}-`}
	src.Multiline.SetDefaults()
	src.Multiline.Timeout = 100 * time.Millisecond
	cfg.Sources = []Source{src}
	stop := start(t, cfg, b)
	var want []string
	offset, rotations := 0, 0
	for i := range 20 {
		trace := fmt.Sprintf("boom %02d\njava.lang.X\n\tat a.b(C.java:%d)", i, i)
		text := "2026-11-21T10:00:00Z " + trace + "\n"
		appendTo(t, live, text)
		want = append(want, fmt.Sprintf("%06d %s ", offset, trace))
		offset += len(text)
		if i%7 == 3 {
			eventually(t, "the last trace waits for its timeout", func() bool { return len(events(t, b)) >= len(want) })
			stop()
			rotate(t, live, rotations, i%2 == 0)
			rotations++
			offset = 0
			stop = start(t, cfg, b)
		}
	}
	eventually(t, "all traces are there", func() bool { return len(events(t, b)) >= len(want) })
	stop()
	slices.Sort(want)
	if got := events(t, b); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if l := letters(t, b); len(l) > 0 {
		t.Errorf("%+v", l)
	}
}

// Text over the limit is cut if that is wished: its beginning is an event, flagged and counted; otherwise all of it is a
// dead letter.
func TestTooLongIsCut(t *testing.T) {
	t.Parallel()
	for _, way := range []string{TooLongCut, TooLongLetter} {
		dir, b := t.TempDir(), newBus(t)
		live := filepath.Join(dir, "app.log")
		for i, n := range []int{10, 70_000, 1_000_000} {
			appendTo(t, live, fmt.Sprintf("2026-11-21T10:00:0%dZ %s\n", i, strings.Repeat("é", n/2)))
		}
		cfg := config(dir, live)
		src := text(live)
		src.TooLong = way
		cfg.Sources = []Source{src}
		once(t, cfg, b)
		kept := 0
		for _, l := range letters(t, b) {
			kept += len(l.Original)
		}
		events := events(t, b)
		if way == TooLongLetter {
			if len(events) != 1 || kept < 1_070_000 {
				t.Errorf("%d events, %d bytes in letters", len(events), kept)
			}
			continue
		}
		if len(events) != 3 || kept != 0 || !strings.HasSuffix(events[1], "é true") || !strings.HasSuffix(events[2], "é true") {
			t.Errorf("%d events, %d bytes in letters", len(events), kept)
		}
	}
}

func TestLineSettingsAreChecked(t *testing.T) {
	t.Parallel()
	src := text("x.log")
	src.Multiline = &Multiline{Start: "(", MaxLines: 1, MaxBytes: 1, Timeout: 1}
	src.TooLong = "shorten"
	cfg := config(t.TempDir(), "x.log")
	cfg.Sources[0].TooLong = TooLongCut
	cfg.Sources[0].Multiline = new(Multiline)
	src.Timezone, src.Pattern = "Asia/Shangai", mapping.Names{"%{NOTHING:timestamp}"}
	cfg.Sources = append(cfg.Sources, src)
	err := cfg.Validate()
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		"sources[0].too_long: format contract is JSON", "sources[0].multiline.start: one of start and continue is needed",
		"sources[1].multiline.start: error parsing regexp", "sources[1].multiline.max_lines: found 1", "sources[1].multiline.max_bytes: found 1",
		"sources[1].multiline.timeout: found 1ns", `sources[1].too_long: found "shorten"`,
		"sources[1].timezone: unknown time zone Asia/Shangai", `sources[1].pattern: "NOTHING" is no known definition`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
