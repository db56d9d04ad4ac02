package store

import (
	"strings"
	"testing"
	"time"

	"imwatch/event"
)

func TestMatchIndex(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"", "a", false},
		{",", "", false},
		{"*", "a", true},
		{"a*", "a", true},
		{"a*", "ab", true},
		{"a*b", "ab", true},
		{"a*b", "aXb", true},
		{"a*b", "a", false},
		{"ab*b", "ab", false},
		{"*b*", "abc", true},
		{"*b*d", "abcd", true},
		{"*b*d", "abc", false},
		{"**", "", true},
		{"x,a*", "ab", true},
		{"x,y", "a", false},
	} {
		if got := MatchIndex(c.pattern, c.name); got != c.want {
			t.Errorf("MatchIndex(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestCheckIndex(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC)
	for _, name := range []string{event.IndexFor(event.ClassError, at), event.AlertIndex(at), event.DeadLetterIndex(at), "0"} {
		if err := CheckIndex(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "A", "a/b", "..", ".a", "-a", "_a", "a*", "a,b", "a b", "ä", strings.Repeat("a", 201)} {
		if CheckIndex(name) == nil {
			t.Errorf("%q is allowed", name)
		}
	}
}

func TestKeyText(t *testing.T) {
	for _, c := range []struct {
		typ      event.Type
		in, want string
	}{
		{event.Keyword, " A", " A"},
		{event.Long, "007", "7"},
		{event.Long, "1.5", "1"},
		{event.Float, "1.50", "1.5"},
		{event.Bool, "true", "true"},
		{event.IP, "2001:DB8:0::1", "2001:db8::1"},
		{event.IP, "::ffff:192.0.2.1", "192.0.2.1"},
		{event.Date, "2026-11-21T09:30:00+01:00", "2026-11-21T08:30:00.000Z"},
	} {
		v, ok := event.Parse(c.typ, c.in)
		if got := KeyText(v); !ok || got != c.want {
			t.Errorf("%v %s gives %q, want %q", c.typ, c.in, got, c.want)
		}
	}
}
