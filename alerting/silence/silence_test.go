package silence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/alerting/route"
	"imwatch/event"
)

func at(tb testing.TB, text string) time.Time {
	tb.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func weekly(days, from, until, zone string) []Weekly {
	w := Weekly{From: from, Until: until, Zone: zone}
	if days != "" {
		w.Days = strings.Split(days, " ")
	}
	return []Weekly{w}
}

// TestWhenASilenceIsOn asks silences at the moments where they turn.
func TestWhenASilenceIsOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		s    Silence
		now  string
		want string // until when; "": it is off
	}{
		{"before", Silence{From: at(t, "2026-11-21T10:00:00Z"), Until: at(t, "2026-11-21T12:00:00Z")}, "2026-11-21T09:59:59Z", ""},
		{"begins", Silence{From: at(t, "2026-11-21T10:00:00Z"), Until: at(t, "2026-11-21T12:00:00Z")}, "2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z"},
		{"ends", Silence{Until: at(t, "2026-11-21T12:00:00Z")}, "2026-11-21T12:00:00Z", ""},
		{"ended", Silence{Until: at(t, "2026-11-21T12:00:00Z"), Ended: at(t, "2026-11-21T11:00:00Z")}, "2026-11-21T11:00:00Z", ""},
		{"to be ended", Silence{Until: at(t, "2026-11-21T12:00:00Z"), Ended: at(t, "2026-11-21T11:00:00Z")}, "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"},
		{"shanghai, the same evening", Silence{Weekly: weekly("mon", "22:00", "06:00", "Asia/Shanghai")}, "2026-11-23T14:00:00Z", "2026-11-23T22:00:00Z"},
		{"shanghai, the next morning", Silence{Weekly: weekly("mon", "22:00", "06:00", "Asia/Shanghai")}, "2026-11-23T21:59:59Z", "2026-11-23T22:00:00Z"},
		{"shanghai, another evening", Silence{Weekly: weekly("mon", "22:00", "06:00", "Asia/Shanghai")}, "2026-11-24T14:00:00Z", ""},
		{"whole day", Silence{Weekly: weekly("sun", "00:00", "24:00", "")}, "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"},
		{"round the clock", Silence{Weekly: weekly("", "08:00", "08:00", "")}, "2026-11-22T07:00:00Z", "2026-11-22T08:00:00Z"},
		{"end before the hour", Silence{Until: at(t, "2026-11-22T05:00:00Z"), Weekly: weekly("", "04:00", "08:00", "")}, "2026-11-22T04:30:00Z", "2026-11-22T05:00:00Z"},
		{"begins in the gap of spring", Silence{Weekly: weekly("", "02:30", "04:00", "Europe/Berlin")}, "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"},
		{"both hours of autumn", Silence{Weekly: weekly("", "01:00", "04:00", "Europe/Berlin")}, "2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"},
	} {
		tt.s.Match, tt.s.Author, tt.s.Reason = []string{"rule = a"}, "ann", "test"
		c, _, err := compile(&tt.s)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		until, on := c.on(at(t, tt.now))
		if on != (tt.want != "") || on && !until.Equal(at(t, tt.want)) {
			t.Errorf("%s: on %v until %v, want %q", tt.name, on, until.UTC(), tt.want)
		}
	}
}

// TestHeldUntil: silences that follow one another hold without a gap.
func TestHeldUntil(t *testing.T) {
	t.Parallel()
	one := func(id, from, until string, match ...string) *Silence {
		return &Silence{ID: id, Match: match, Author: "ann", Reason: "test", From: at(t, from), Until: at(t, until)}
	}
	b, err := NewBook([]*Silence{
		one("a", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z", "rule = x"),
		one("b", "2026-11-21T10:30:00Z", "2026-11-21T12:00:00Z", "severity = high"),
		one("c", "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z", `rule =~ "x|y"`),
		one("d", "2026-11-21T13:00:00Z", "2026-11-21T15:00:00Z", "rule = y"),
		{ID: "e", Match: []string{"rule = z"}, Author: "ann", Reason: "test", Weekly: weekly("", "00:00", "24:00", "")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ rule, now, by, until string }{
		{"x", "2026-11-21T10:00:00Z", "a", "2026-11-21T13:00:00Z"},
		{"x", "2026-11-21T10:40:00Z", "b", "2026-11-21T13:00:00Z"},
		{"x", "2026-11-21T13:00:00Z", "", ""},
		{"y", "2026-11-21T10:00:00Z", "", ""},
		{"y", "2026-11-21T11:00:00Z", "b", "2026-11-21T15:00:00Z"},
		{"z", "2026-11-21T14:00:00Z", "e", "2026-11-28T14:00:00Z"},
	} {
		h, ok := b.Held(&event.Alert{RuleID: tt.rule, Severity: "high"}, at(t, tt.now))
		if ok != (tt.by != "") || ok && (h.Silence.ID != tt.by || !h.Until.Equal(at(t, tt.until))) {
			t.Errorf("%s at %s: %+v, want %s until %s", tt.rule, tt.now, h, tt.by, tt.until)
		}
	}
}

// TestBadSilencesAreSaid names each fault by its key.
func TestBadSilencesAreSaid(t *testing.T) {
	t.Parallel()
	good := func() *Silence {
		return &Silence{ID: "s", Match: []string{"rule = a"}, Author: "ann", Reason: "test", Until: at(t, "2026-11-21T12:00:00Z")}
	}
	for want, change := range map[string]func(*Silence){
		"match: found 0 conditions":            func(s *Silence) { s.Match = nil },
		"match: these conditions hold any":     func(s *Silence) { s.Match = []string{`rule =~ ".*"`, "severity in [info, warn, high, critical]"} },
		"match: found 51 conditions":           func(s *Silence) { s.All, s.Match = true, slices.Repeat([]string{"rule = a"}, 51) },
		`kind: found "x"`:                      func(s *Silence) { s.Kind = "x" },
		`zone: found "CST8"`:                   func(s *Silence) { s.Zone = "CST8" },
		"weekly: found 51 stretches":           func(s *Silence) { s.Weekly = slices.Repeat(weekly("", "01:00", "02:00", ""), 51) },
		"match[1]: unknown name":               func(s *Silence) { s.Match = []string{"rule = a", "ruel = b"} },
		"author: found 0 bytes":                func(s *Silence) { s.Author = " " },
		"reason: found 1001 bytes":             func(s *Silence) { s.Reason = strings.Repeat("x", 1001) },
		"until: needed":                        func(s *Silence) { s.Until = time.Time{} },
		"until: 2026-11-21T12:00:00Z is not a": func(s *Silence) { s.From = s.Until },
		`weekly[0].days[0]: found "monday"`:    func(s *Silence) { s.Weekly = weekly("monday", "01:00", "02:00", "") },
		`weekly[0].from: found "24:00"`:        func(s *Silence) { s.Weekly = weekly("", "24:00", "02:00", "") },
		`weekly[0].until: found "2:00"`:        func(s *Silence) { s.Weekly = weekly("", "01:00", "2:00", "") },
		`weekly[0].zone: found "CST8"`:         func(s *Silence) { s.Weekly = weekly("", "01:00", "02:00", "CST8") },
		`weekly[0].zone: found "Local"`:        func(s *Silence) { s.Weekly = weekly("", "01:00", "02:00", "Local") },
	} {
		s := good()
		change(s)
		if _, err := NewBook([]*Silence{s}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `silence "s": `) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := good().Validate(); err != nil {
		t.Error(err)
	}
}

// TestBookAgreesWithALook: the book holds what some silence of it holds, and until a moment at which none does, with
// none between at which it would have been told.
func TestBookAgreesWithALook(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-03-28T00:00:00Z") // the clocks change on the next day
	rapid.Check(t, func(t *rapid.T) {
		hours := func(name string, least, most int) time.Time {
			return base.Add(time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Hour)
		}
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *Silence {
			s := &Silence{
				Match:  []string{rapid.SampledFrom([]string{"rule = a", "rule = b", `rule =~ "a|b"`, "rule != a"}).Draw(t, "match")},
				Author: "ann", Reason: "test", From: hours("from", 0, 40), Until: hours("until", 41, 90), All: true,
			}
			if rapid.Bool().Draw(t, "weekly") {
				clock := func(name string) string {
					return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, name), rapid.SampledFrom([]int{0, 30}).Draw(t, name+" minutes"))
				}
				s.Weekly = weekly("", clock("from"), clock("until"), rapid.SampledFrom([]string{"", "Asia/Shanghai", "Europe/Berlin", "America/New_York"}).Draw(t, "zone"))
			}
			return s
		}), 0, 5).Draw(t, "silences")
		b, err := NewBook(list)
		if err != nil {
			t.Fatal(err)
		}
		a := &event.Alert{RuleID: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "rule")}
		held := func(now time.Time) bool {
			for _, s := range list {
				c, matchers, err := compile(s)
				if err != nil {
					t.Fatal(err)
				}
				if _, on := c.on(now); on && route.MatchAll(matchers, a) {
					return true
				}
			}
			return false
		}
		now := hours("now", 0, 92)
		h, ok := b.Held(a, now)
		if ok != held(now) {
			t.Fatalf("held: %v, want %v", ok, !ok)
		}
		if !ok {
			return
		}
		if held(h.Until) {
			t.Fatalf("still held at %v, which it said was free", h.Until)
		}
		for m := now; m.Before(h.Until); m = m.Add(15 * time.Minute) {
			if !held(m) {
				t.Fatalf("free at %v already, it said %v", m, h.Until)
			}
		}
	})
}

// BenchmarkHeld asks among 1,000 silences.
func BenchmarkHeld(b *testing.B) {
	var list []*Silence
	now := at(b, "2026-11-21T10:00:00Z")
	for i := range 1000 {
		list = append(list, &Silence{
			ID: fmt.Sprint(i), Match: []string{fmt.Sprintf("rule = r-%d", i%100), fmt.Sprintf("key.client.ip = 192.0.2.%d", i%250)}, Author: "ann", Reason: "test", Until: now.Add(time.Hour),
		})
	}
	book, err := NewBook(list)
	if err != nil {
		b.Fatal(err)
	}
	a := &event.Alert{RuleID: "r-7", Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.7"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := book.Held(a, now); !ok {
			b.Fatal("not held")
		}
	}
}
