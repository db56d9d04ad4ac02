package silence

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"imwatch/event"
)

func window(t *testing.T, s Silence) *Silence {
	t.Helper()
	s.ID, s.Match, s.Author, s.Reason, s.Kind = "w", []string{"rule = a"}, "ann", "test", Maintenance
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return &s
}

// TestStretches: a window is one stretch, a weekly one has one each time, and those that touch are one.
func TestStretches(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-25T12:00:00Z") // a Wednesday
	for _, tt := range []struct {
		name string
		s    Silence
		want []Stretch
	}{
		{"once", Silence{From: now, Until: now.Add(time.Hour)}, []Stretch{{now, now.Add(time.Hour)}}},
		{"ended before", Silence{From: now, Until: now.Add(time.Hour), Ended: now.Add(time.Minute)}, []Stretch{{now, now.Add(time.Minute)}}},
		{"over", Silence{From: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)}, nil},
		{"ended before it began", Silence{From: now.Add(time.Hour), Until: now.Add(2 * time.Hour), Ended: now}, nil},
		{"nights", Silence{From: at(t, "2026-11-24T16:00:00Z"), Weekly: weekly("tue wed", "22:00", "06:00", "Asia/Shanghai")}, []Stretch{{at(t, "2026-11-25T14:00:00Z"), at(t, "2026-11-25T22:00:00Z")}}},
		{"nights that touch", Silence{Weekly: append(weekly("wed", "22:00", "06:00", "Asia/Shanghai"), weekly("wed", "22:00", "23:00", "UTC")...)}, []Stretch{{at(t, "2026-11-25T14:00:00Z"), at(t, "2026-11-25T23:00:00Z")}}},
		{"cut", Silence{Until: at(t, "2026-11-25T15:00:00Z"), Weekly: weekly("wed", "22:00", "06:00", "Asia/Shanghai")}, []Stretch{{at(t, "2026-11-25T14:00:00Z"), at(t, "2026-11-25T15:00:00Z")}}},
	} {
		got := window(t, tt.s).Stretches(now, now.Add(24*time.Hour))
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

// TestMarksNameTheirStretch: at any moment at which a window is on, what it holds is marked, and the mark is found in the
// stretch that there is, and in no other one.
func TestMarksNameTheirStretch(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-10-24T00:00:00Z") // the clocks change on the next day
	rapid.Check(t, func(r *rapid.T) {
		s := Silence{From: base.Add(time.Duration(rapid.IntRange(0, 30).Draw(r, "from")) * time.Hour)}
		s.Until = s.From.Add(time.Duration(rapid.IntRange(1, 100).Draw(r, "length")) * time.Hour)
		if rapid.Bool().Draw(r, "weekly") {
			hours := []string{"00:00", "01:30", "02:30", "06:00", "22:00"}
			for range rapid.IntRange(1, 3).Draw(r, "stretches") {
				s.Weekly = append(s.Weekly, weekly("", rapid.SampledFrom(hours).Draw(r, "begins"), rapid.SampledFrom(hours).Draw(r, "ends"), rapid.SampledFrom([]string{"", "Asia/Shanghai", "Europe/Berlin"}).Draw(r, "zone"))...)
			}
		}
		w := window(t, s)
		book, err := NewBook([]*Silence{w})
		if err != nil {
			r.Fatal(err)
		}
		now := base.Add(time.Duration(rapid.IntRange(0, 300).Draw(r, "now")) * 30 * time.Minute)
		h, on := book.Held(&event.Alert{RuleID: "a"}, now)
		if on != (len(h.Windows) > 0) {
			r.Fatalf("on %v, marks %v", on, h.Windows)
		}
		in := 0
		for _, x := range w.Stretches(base.Add(-time.Hour), base.Add(400*time.Hour)) {
			holds := !now.Before(x.From) && now.Before(x.Until)
			if on && w.Marked(h.Windows, x) != holds {
				r.Fatalf("%v in %+v: %v, the other way by the clock (%v)", h.Windows, x, !holds, now)
			}
			if holds {
				in++
			}
		}
		if on != (in == 1) {
			r.Fatalf("on %v at %v, in %d stretches", on, now, in)
		}
	})
}

// TestWarns: so long before the end, not before half of it, and never for those that come again.
func TestWarns(t *testing.T) {
	t.Parallel()
	from := at(t, "2026-11-25T12:00:00Z")
	for _, tt := range []struct {
		s      Silence
		before time.Duration
		want   time.Duration // after from; -1: never
	}{
		{Silence{From: from, Until: from.Add(time.Hour)}, 15 * time.Minute, 45 * time.Minute},
		{Silence{From: from, Until: from.Add(10 * time.Minute)}, 15 * time.Minute, 5 * time.Minute},
		{Silence{From: from, Until: from.Add(time.Hour)}, 0, -1},
		{Silence{From: from, Until: from.Add(time.Hour), Weekly: weekly("", "01:00", "02:00", "")}, time.Minute, -1},
		{Silence{From: from, Weekly: weekly("", "01:00", "02:00", "")}, time.Minute, -1},
	} {
		at, ok := tt.s.Warns(tt.before)
		if ok != (tt.want >= 0) || ok && !at.Equal(from.Add(tt.want)) {
			t.Errorf("%+v: %v %v", tt.s, at, ok)
		}
	}
	s := Silence{From: from, Until: from.Add(time.Hour), Ended: from.Add(50 * time.Minute)}
	for after, want := range map[time.Duration]bool{44 * time.Minute: false, 45 * time.Minute: true, 50 * time.Minute: false} {
		if s.Ending(15*time.Minute, from.Add(after)) != want {
			t.Errorf("after %v: %v", after, !want)
		}
	}
}

// TestWarningIsNotHeldByItsSilence, but by others.
func TestWarningIsNotHeldByItsSilence(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-25T12:00:00Z")
	s := &Silence{ID: "s", All: true, Author: "ann", Reason: "test", Until: now.Add(time.Hour)}
	b, err := NewBook([]*Silence{s})
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]bool{"s": false, "other": true} {
		if _, held := b.Held(&event.Alert{RuleID: EndsRule, Labels: map[string]string{IDLabel: label}}, now); held != want {
			t.Errorf("the warning about %s: held %v", label, held)
		}
	}
}
