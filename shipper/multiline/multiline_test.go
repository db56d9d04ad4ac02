package multiline

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func groups(r *Rule, text string) []string {
	var out []string
	for len(text) > 0 {
		n := r.Next(text, true)
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

func TestGroups(t *testing.T) {
	t.Parallel()
	dated, indented := regexp.MustCompile(`^\d{4}-`), regexp.MustCompile(`^(\s|Caused by:|goroutine |$)`)
	java := "2026-11-21 ERROR boom\njava.lang.X: y\n\tat a.b(C.java:1)\nCaused by: z\n\t... 3 more\n2026-11-21 INFO fine\r\n"
	for name, c := range map[string]struct {
		rule Rule
		text string
		want []string
	}{
		"start": {
			Rule{Start: dated, MaxLines: 9, MaxBytes: 999},
			java,
			[]string{java[:strings.Index(java, "2026-11-21 INFO")], "2026-11-21 INFO fine\r\n"},
		},
		"begins in the middle": {
			Rule{Start: dated, MaxLines: 9, MaxBytes: 999},
			"\tat x\n\tat y\n2026-1\n",
			[]string{"\tat x\n\tat y\n", "2026-1\n"},
		},
		"continue": {
			Rule{Continue: indented, MaxLines: 9, MaxBytes: 999},
			"panic: x\n\ngoroutine 1 [running]:\n\tmain.go:1\nnext\r\n\r\n",
			[]string{"panic: x\n\ngoroutine 1 [running]:\n\tmain.go:1\n", "next\r\n\r\n"},
		},
		"both":  {Rule{Start: dated, Continue: indented, MaxLines: 9, MaxBytes: 999}, "2026-1 a\n b\nc\n 2026\n", []string{"2026-1 a\n b\n", "c\n 2026\n"}},
		"lines": {Rule{Start: dated, MaxLines: 2, MaxBytes: 999}, "2026-1\na\nb\nc\nd\n", []string{"2026-1\na\n", "b\nc\n", "d\n"}},
		"bytes": {Rule{Start: dated, MaxLines: 9, MaxBytes: 9}, "2026-1\na\nbc\n12345678901\nd\n", []string{"2026-1\na\n", "bc\n", "12345678901\n", "d\n"}},
	} {
		if d := cmp.Diff(c.want, groups(&c.rule, c.text)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// The last group is open until something else begins, and the limits close it.
func TestOpenEnd(t *testing.T) {
	t.Parallel()
	r := &Rule{Start: regexp.MustCompile(`^S`), MaxLines: 3, MaxBytes: 100}
	for text, want := range map[string]int{
		"": 0, "S\n": 0, "S\na\n": 0, "S\nS\n": 2, "S\na\nb\n": 0, "S\na\nb\nc\n": 6, "a\nb\nS\n": 4, "a\na\na\na\na\na\na\n": 12,
	} {
		if got := r.Cut(text, false); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
		if got := r.Cut(text, true); got != len(text) {
			t.Errorf("%q at the end: %d", text, got)
		}
	}
}

func drawRule(t *rapid.T) *Rule {
	r := &Rule{MaxLines: rapid.IntRange(1, 6).Draw(t, "max lines"), MaxBytes: rapid.IntRange(1, 30).Draw(t, "max bytes")}
	which := rapid.IntRange(1, 3).Draw(t, "which")
	if which&1 != 0 {
		r.Start = regexp.MustCompile(`^S`)
	}
	if which&2 != 0 {
		r.Continue = regexp.MustCompile(`^[ c]`)
	}
	return r
}

// In whatever pieces a text comes, its groups are the same.
func TestAnySplitGivesTheSameGroups(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRule(t)
		text := strings.Join(rapid.SliceOf(rapid.StringMatching(`[S c]?x{0,6}\r?\n`)).Draw(t, "lines"), "")
		check(t, r, text, func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") })
	})
}

func check(t interface{ Fatalf(string, ...any) }, r *Rule, text string, size func(int) int) {
	var got []string
	done := 0
	for read := 0; read < len(text); {
		read += size(len(text) - read)
		whole := strings.LastIndexByte(text[:read], '\n') + 1
		if whole > done {
			n := r.Cut(text[done:whole], false)
			got = append(got, groups(r, text[done:done+n])...)
			done += n
		}
	}
	got = append(got, groups(r, text[done:])...)
	if d := cmp.Diff(groups(r, text), got); d != "" {
		t.Fatalf("groups (-in one +in pieces):\n%s", d)
	}
}

func FuzzGroups(f *testing.F) {
	f.Add("S a\n b\nS c\n", uint8(3), uint8(9), uint8(4))
	f.Add("\r\n\r\nS", uint8(1), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, text string, lines, bytes, piece uint8) {
		r := &Rule{
			Start: regexp.MustCompile(`^S`), Continue: regexp.MustCompile(`^\s`),
			MaxLines: int(lines) + 1, MaxBytes: int(bytes) + 1,
		}
		if got := strings.Join(groups(r, text), ""); got != text {
			t.Fatalf("%q became %q", text, got)
		}
		check(t, r, text, func(left int) int { return min(left, int(piece)+1) })
	})
}
