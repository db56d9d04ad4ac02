package oncall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/hours"

	"pgregory.net/rapid"
)

// changes are zones with the day on which something happens to their clock.
var changes = []struct{ zone, day string }{
	{"Europe/Berlin", "2026-03-29"},
	{"Europe/Berlin", "2026-10-25"},
	{"America/New_York", "2026-03-08"},
	{"America/New_York", "2026-11-01"},
	{"Australia/Lord_Howe", "2026-04-05"},
	{"Australia/Lord_Howe", "2026-10-04"}, // by half an hour
	{"America/Sao_Paulo", "2018-02-18"},
	{"America/Sao_Paulo", "2018-11-04"}, // at midnight
	{"Pacific/Apia", "2011-12-30"},      // a day that never was
	{"Asia/Shanghai", "1991-09-15"},
	{"Asia/Shanghai", "2026-06-01"},
	{"Africa/Casablanca", "2026-02-15"},
	{"", "2026-01-01"},
}

// walk is the naive model: it looks at the clock each minute, counts hand-overs as the clock reaches them, and reads the
// hours off it.
type walk struct {
	zone    *time.Location
	top     time.Time // the latest that the clock has shown
	next    []time.Time
	turn    []int
	entered []bool
}

func newWalk(s Schedule, zone *time.Location) *walk {
	w := &walk{zone: zone, turn: make([]int, len(s.Rotations)), entered: make([]bool, len(s.Rotations))}
	for _, r := range s.Rotations {
		start, _ := time.Parse("2006-01-02T15:04", r.Start)
		w.next = append(w.next, start)
	}
	return w
}

func (w *walk) minute(s Schedule, overrides []*Override, t time.Time) string {
	shown := clockOf(t, w.zone)
	if shown.After(w.top) {
		w.top = shown
	}
	for i, r := range s.Rotations {
		for !w.top.Before(w.next[i]) {
			if w.entered[i] {
				w.turn[i]++
			}
			w.entered[i] = true
			w.next[i] = w.next[i].Add(r.Every)
		}
	}
	found := ""
	for _, o := range overrides {
		if !t.Before(o.From) && t.Before(o.Until) && (o.Ended.IsZero() || t.Before(o.Ended)) {
			found = o.Person
		}
	}
	if found != "" {
		return found
	}
	for i, r := range s.Rotations {
		if w.entered[i] && open(r.Hours, shown) {
			return r.People[w.turn[i]%len(r.People)]
		}
	}
	return ""
}

// clockOf reads the clock on the wall.
func clockOf(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
}

func open(list []Hours, shown time.Time) bool {
	clock := shown.Format("15:04")
	day := func(t time.Time) string { return strings.ToLower(t.Format("Mon")) }
	on := func(h Hours, d string) bool { return len(h.Days) == 0 || slices.Contains(h.Days, d) }
	for _, h := range list {
		if h.From < h.Until {
			if on(h, day(shown)) && clock >= h.From && clock < h.Until {
				return true
			}
			continue
		}
		if on(h, day(shown)) && clock >= h.From || on(h, day(shown.AddDate(0, 0, -1))) && clock < h.Until {
			return true
		}
	}
	return len(list) == 0
}

func drawSchedule(t *rapid.T, first time.Time, zone string) Schedule {
	names := []string{"ann", "bob", "cem", "dan"}
	clock := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "hour"), rapid.SampledFrom([]int{0, 15, 30, 59}).Draw(t, "minute"))
	})
	s := Schedule{Name: "s", Zone: zone}
	for range rapid.IntRange(1, 3).Draw(t, "rotations") {
		r := Rotation{
			Start:  first.AddDate(0, 0, rapid.IntRange(-6, 2).Draw(t, "start")).Format("2006-01-02T") + clock.Draw(t, "start hour"),
			Every:  rapid.SampledFrom([]time.Duration{time.Hour, 5 * time.Hour, 8 * time.Hour, 12 * time.Hour, day, 36 * time.Hour, 7 * day}).Draw(t, "every"),
			People: rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(t, "people"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "hours") {
			h := Hours{From: clock.Draw(t, "from"), Until: rapid.OneOf(clock, rapid.Just("24:00")).Draw(t, "until")}
			if rapid.Bool().Draw(t, "some days") {
				h.Days = rapid.SliceOfN(rapid.SampledFrom(hours.Days()), 1, 3).Draw(t, "days")
			}
			r.Hours = append(r.Hours, h)
		}
		s.Rotations = append(s.Rotations, r)
	}
	return s
}

// TestEveryMinuteHasThePersonThatTheDefinitionSays compares the schedule with the model through changes of the clock, minute by minute,
// asked for instants and for shifts.
func TestEveryMinuteHasThePersonThatTheDefinitionSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(t, "change")
		zone, err := time.LoadLocation(change.zone)
		if err != nil {
			t.Fatal(err)
		}
		middle, _ := time.Parse(time.DateOnly, change.day)
		s := drawSchedule(t, middle, change.zone)
		people := []Person{{Name: "ann"}, {Name: "bob"}, {Name: "cem"}, {Name: "dan"}}
		r, _, err := New(Config{People: people, Schedules: []Schedule{s}}, middle)
		if err != nil {
			t.Fatal(err)
		}
		from, to := middle.AddDate(0, 0, -2), middle.AddDate(0, 0, 3)
		var overrides []*Override
		for i := range rapid.IntRange(0, 3).Draw(t, "overrides") {
			at := from.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "from")) * time.Hour)
			o := &Override{ID: fmt.Sprint(i), Schedule: "s", Person: people[i].Name, From: at, Until: at.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "for")) * time.Hour), Made: from.Add(time.Duration(i))}
			if rapid.Bool().Draw(t, "ended") {
				o.Ended = o.From.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "ended after")) * time.Hour)
			}
			overrides = append(overrides, o)
		}
		r.Overrides(func() []*Override { return overrides })
		shifts := r.Shifts("s", from, to)
		if !shifts[0].From.Equal(from) || !shifts[len(shifts)-1].Until.Equal(to) {
			t.Fatalf("the shifts are of %v to %v", shifts[0].From, shifts[len(shifts)-1].Until)
		}
		at, w := 0, newWalk(s, zone)
		for m := middle.AddDate(0, 0, -8); m.Before(from); m = m.Add(time.Minute) {
			w.minute(s, nil, m)
		}
		for m := from; m.Before(to); m = m.Add(time.Minute) {
			want := w.minute(s, overrides, m)
			got, _ := r.At("s", m)
			if got.Person != want || !got.Until.IsZero() && !got.Until.After(m) {
				t.Fatalf("%s (%s): %+v, want %q", m.Format(time.RFC3339), m.In(zone).Format(time.RFC3339), got, want)
			}
			for !m.Before(shifts[at].Until) {
				at++
				if !shifts[at].From.Equal(shifts[at-1].Until) {
					t.Fatalf("a hole in the shifts: %+v %+v", shifts[at-1], shifts[at])
				}
			}
			if shifts[at].Person != want {
				t.Fatalf("%s: the shift is %+v, want %q", m.Format(time.RFC3339), shifts[at], want)
			}
		}
	})
}

// TestCalendarAgainstTheModel compares calendars with recurring events with a count of days on the wall.
func TestCalendarAgainstTheModel(t *testing.T) {
	type drawn struct {
		start   time.Time
		length  time.Duration
		days    int // between two starts; 0: once
		count   int
		not     map[int]bool
		person  string
		uid     string
		allDay  bool
		byDTEnd bool
	}
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(t, "change")
		zone, err := time.LoadLocation(change.zone)
		if err != nil {
			t.Fatal(err)
		}
		middle, _ := time.Parse(time.DateOnly, change.day)
		var b strings.Builder
		b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
		var list []drawn
		for i := range rapid.IntRange(1, 4).Draw(t, "events") {
			e := drawn{
				start:  middle.AddDate(0, 0, rapid.IntRange(-10, 2).Draw(t, "day")).Add(time.Duration(rapid.IntRange(0, 95).Draw(t, "quarter")) * 15 * time.Minute),
				length: time.Duration(rapid.IntRange(1, 200).Draw(t, "length")) * 15 * time.Minute,
				days:   rapid.SampledFrom([]int{0, 1, 2, 7}).Draw(t, "days"), count: rapid.IntRange(1, 12).Draw(t, "count"), not: map[int]bool{},
				person: rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "person"), uid: fmt.Sprint("e", i), allDay: rapid.Bool().Draw(t, "all day"), byDTEnd: rapid.Bool().Draw(t, "DTEND"),
			}
			param, layout := ";TZID="+change.zone, "20060102T150405"
			if e.allDay {
				e.start, e.length, param, layout = e.start.Truncate(day), (e.length + day).Truncate(day), ";VALUE=DATE", "20060102"
			} else if change.zone == "" {
				param = ""
			}
			fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%s\r\nDTSTART%s:%s\r\n", e.uid, param, e.start.Format(layout))
			if e.byDTEnd {
				fmt.Fprintf(&b, "DTEND%s:%s\r\n", param, e.start.Add(e.length).Format(layout))
			} else {
				fmt.Fprintf(&b, "DURATION:PT%dM\r\n", int(e.length.Minutes()))
			}
			if e.days > 0 {
				fmt.Fprintf(&b, "RRULE:FREQ=DAILY;INTERVAL=%d;COUNT=%d\r\n", e.days, e.count)
				for n := range e.count {
					if rapid.IntRange(0, 4).Draw(t, "excepted") == 0 {
						e.not[n] = true
						fmt.Fprintf(&b, "EXDATE%s:%s\r\n", param, e.start.AddDate(0, 0, n*e.days).Format(layout))
					}
				}
			} else {
				e.days, e.count = 1, 1
			}
			fmt.Fprintf(&b, "SUMMARY:On call: %s\r\nEND:VEVENT\r\n", strings.ToUpper(e.person))
			list = append(list, e)
		}
		b.WriteString("END:VCALENDAR\r\n")
		c, warnings, err := ReadCalendar(b.String(), zone, newDirectory([]Person{{Name: "ann"}, {Name: "bob"}}).find, middle)
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		for _, w := range warnings {
			if !strings.Contains(w, "both on call") {
				t.Fatal(w)
			}
		}
		// The model knows when each event began and ended by looking at the clock as it goes.
		began, ended := map[string]time.Time{}, map[string]bool{}
		var top time.Time
		for m := middle.AddDate(0, 0, -12); m.Before(middle.AddDate(0, 0, 8)); m = m.Add(15 * time.Minute) {
			shown := clockOf(m, zone)
			if shown.After(top) {
				top = shown
			}
			want, wantBegan, wantUID := "", time.Time{}, ""
			for _, e := range list {
				for n := range e.count {
					id, start := fmt.Sprint(e.uid, "/", n), e.start.AddDate(0, 0, n*e.days)
					if e.not[n] || top.Before(start) {
						continue
					}
					if began[id].IsZero() {
						began[id] = m
					}
					ended[id] = ended[id] || !top.Before(start.Add(e.length))
					if !ended[id] && (began[id].After(wantBegan) || began[id].Equal(wantBegan) && e.uid >= wantUID) {
						want, wantBegan, wantUID = e.person, began[id], e.uid
					}
				}
			}
			if got, until := c.at(m); got != want || !until.After(m) {
				t.Fatalf("%s (%s): %q until %v, want %q\n%s", m.Format(time.RFC3339), m.In(zone).Format(time.RFC3339), got, until, want, b.String())
			}
		}
	})
}
