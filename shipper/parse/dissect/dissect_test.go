package dissect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, line string
		want          []string // nil: does not fit
	}{
		{`%{a} %{b}`, "x y z", []string{"x", "y z"}},
		{`[%{ts}] %{?skip} "%{m}" %{}`, `[t] s "GET" rest`, []string{"t", "GET"}},
		{`%{d} %{+d} %{m}`, "2026-11-21 10:00 hello", []string{"2026-11-21 10:00", "hello"}},
		{`%{level->} %{m}`, "info     hello", []string{"info", "hello"}},
		{`%{a}|`, "x|", []string{"x"}},
		{`%{a}|`, "x|y", nil},
		{`%{a->}|`, "x|||", []string{"x"}},
		{`pre %{a}`, "pro x", nil},
		{`%{a} %{b}`, "x", nil},
		{`%{a}, %{b}`, ", ", []string{"", ""}},
		{`%{a}`, "", []string{""}},
	} {
		p, err := New(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]string, len(p.Names()))
		if !p.Match(tc.line, got) {
			got = nil
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", tc.pattern, d)
		}
	}
}

func TestPatternErrors(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"plain":         "no field",
		"%{a":           "byte 2: the field is not ended",
		"%{a}%{b}":      "text is needed between",
		"%{a} %{a}":     "%{+a} joins",
		"%{+a} %{b}":    "does not stand before",
		"%{a} %{+?}":    "cannot be joined",
		"%{*k}=%{&k}":   "not supported",
		"%{a} %{b} %{a": "byte 12",
	} {
		if _, err := New(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// What was taken, put back where it stood, is the line again.
func FuzzMatch(f *testing.F) {
	f.Add("%{a} [%{b}] %{c}", "x [y] z")
	f.Fuzz(func(t *testing.T, pattern, line string) {
		p, err := New(pattern)
		if err != nil || strings.Contains(pattern, "->}") || strings.Contains(pattern, "%{+") || strings.Contains(pattern, "%{?") || strings.Contains(pattern, "%{}") {
			return
		}
		got := make([]string, len(p.Names()))
		if !p.Match(line, got) {
			return
		}
		back := p.prefix
		for _, part := range p.parts {
			back += got[part.slot] + part.until
		}
		if back != line {
			t.Fatalf("%q of %q came back as %q", line, pattern, back)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p, err := New(`%{ip} - %{user} [%{time}] "%{request}" %{status} %{?bytes} "%{?referer}" "%{agent}"`)
	if err != nil {
		b.Fatal(err)
	}
	line := `192.0.2.1 - - [21/Nov/2026:10:00:00 +0800] "GET /ws/connect?token=secret HTTP/1.1" 101 0 "-" "Mozilla/5.0 (X11; Linux x86_64)"`
	dst := make([]string, len(p.Names()))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if !p.Match(line, dst) {
			b.Fatal("does not fit")
		}
	}
}
