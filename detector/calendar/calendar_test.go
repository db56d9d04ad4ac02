package calendar_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/calendar"
)

func read(t interface{ Fatalf(string, ...any) }, yaml string) *calendar.Calendar {
	c, faults := calendar.Read("test", []byte(yaml))
	if len(faults) > 0 {
		t.Fatalf("%v in\n%s", faults, yaml)
	}
	return c
}

func shipped(t *testing.T, name string) *calendar.Calendar {
	t.Helper()
	c, err := calendar.Shipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestShippedCalendars(t *testing.T) {
	t.Parallel()
	if got := strings.Join(calendar.ShippedNames(), " "); got != "always nights office-hours" {
		t.Errorf("found %s", got)
	}
	for _, c := range []struct {
		name, at string
		in       bool
	}{
		{"always", "2026-02-28T23:59:59Z", true},
		{"nights", "2026-11-21T23:00:00+08:00", true},
		{"nights", "2026-11-22T06:59:59+08:00", true},
		{"nights", "2026-11-22T07:00:00+08:00", false},
		{"office-hours", "2026-11-23T08:59:59.999999999+08:00", false},
		{"office-hours", "2026-11-23T09:00:00+08:00", true},
		{"office-hours", "2026-11-23T17:59:59.999999999+08:00", true},
		{"office-hours", "2026-11-23T18:00:00+08:00", false},
		{"office-hours", "2026-11-21T12:00:00+08:00", false}, // Saturday
		{"office-hours", "2026-02-17T12:00:00+08:00", false}, // Tuesday in Spring Festival
		{"office-hours", "2026-02-28T12:00:00+08:00", true},  // a Saturday made up for it
		{"office-hours", "2026-02-28T18:00:00+08:00", false},
		{"office-hours", "2026-10-08T12:00:00+08:00", true},
		{"office-hours", "2025-10-08T12:00:00+08:00", false},
		{"office-hours", "2025-10-11T12:00:00+08:00", true},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := shipped(t, c.name).In(at.UnixNano()); got != c.in {
			t.Errorf("%s at %s: found %v, expected %v", c.name, c.at, got, c.in)
		}
	}
	// What is made up for is a weekend, and as much of it as the holiday took of the week.
	office := shipped(t, "office-hours")
	for year, want := range map[int]int{2025: 248, 2026: 248} {
		worked := 0
		for at := time.Date(year, 1, 1, 4, 0, 0, 0, time.UTC); at.Year() == year; at = at.AddDate(0, 0, 1) {
			if office.In(at.UnixNano()) {
				worked++
			}
		}
		if worked != want {
			t.Errorf("%d has %d working days, expected %d", year, worked, want)
		}
	}
	if _, lacks := office.Lacks(time.Date(2026, 12, 31, 15, 59, 0, 0, time.UTC)); lacks {
		t.Error("2026 is said to be missing")
	}
	if year, lacks := office.Lacks(time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)); !lacks || year != 2027 { // in Shanghai
		t.Errorf("found %d %v, expected 2027 to be missing", year, lacks)
	}
	if _, lacks := shipped(t, "always").Lacks(time.Now()); lacks {
		t.Error("a calendar without holidays lacks none")
	}
}

// naive is the words of the manual: what the clock on the wall shows.
func naive(days map[time.Weekday][][2]int, dates map[string][][2]int, zone *time.Location, at time.Time) bool {
	of := func(day time.Time) [][2]int {
		if own, ok := dates[day.Format("2006-01-02")]; ok {
			return own
		}
		return days[day.Weekday()]
	}
	wall := at.In(zone)
	minute := wall.Hour()*60 + wall.Minute()
	for _, s := range of(wall) {
		if s[0] < s[1] && minute >= s[0] && minute < s[1] || s[0] >= s[1] && minute >= s[0] {
			return true
		}
	}
	y, m, d := wall.Date()
	for _, s := range of(time.Date(y, m, d-1, 12, 0, 0, 0, time.UTC)) {
		if s[0] >= s[1] && minute < s[1] {
			return true
		}
	}
	return false
}

// Through both changes of summer time, in zones of all kinds, with a cursor that jumps about.
func TestAnInstantAgainstTheWallClock(t *testing.T) {
	t.Parallel()
	weekdays := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		var yaml strings.Builder
		fmt.Fprintf(&yaml, "zone: %s\nhours:\n", name)
		days := map[time.Weekday][][2]int{}
		for w, day := range weekdays {
			var from int
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				continue
			case 1: // over midnight, not into the hours of the next day, which begin at 6:00 or later
				from = rapid.IntRange(19*60, 24*60-1).Draw(t, "late")
				days[time.Weekday(w)] = [][2]int{{from, rapid.IntRange(0, 6*60).Draw(t, "early")}}
			default:
				from = rapid.IntRange(6*60, 10*60).Draw(t, "morning")
				days[time.Weekday(w)] = [][2]int{{from, from + 60}, {from + 90, 18 * 60}}
			}
			fmt.Fprintf(&yaml, "  %s: [", day)
			for _, s := range days[time.Weekday(w)] {
				fmt.Fprintf(&yaml, "'%02d:%02d-%02d:%02d', ", s[0]/60, s[0]%60, s[1]/60, s[1]%60)
			}
			yaml.WriteString("]\n")
		}
		if len(days) == 0 {
			yaml.WriteString("  mon: []\n")
		}
		base := time.Date(2026, rapid.SampledFrom([]time.Month{3, 4, 10, 11}).Draw(t, "month"), rapid.IntRange(1, 31).Draw(t, "day"), 0, 0, 0, 0, zone)
		off := base.AddDate(0, 0, 1).Format("2006-01-02")
		on := base.AddDate(0, 0, 3).Format("2006-01-02")
		dates := map[string][][2]int{off: nil, on: {{300, 301}, {600, 601}}}
		fmt.Fprintf(&yaml, "holidays: [%s]\nworkdays: [{date: %s, hours: ['05:00-05:01', '10:00-10:01']}]\n", off, on)
		c := read(t, yaml.String())
		cursor := c.Cursor()
		for range 40 {
			at := base.Add(time.Duration(rapid.Int64Range(-48*3600, 120*3600).Draw(t, "second")) * time.Second)
			if rapid.Bool().Draw(t, "exact") {
				at = at.Truncate(30 * time.Minute).Add(-time.Duration(rapid.IntRange(0, 1).Draw(t, "just before")))
			}
			want := naive(days, dates, zone, at)
			if got := cursor.In(at.UnixNano()); got != want || c.In(at.UnixNano()) != want {
				t.Fatalf("%s: found %v, expected %v, with\n%s", at, got, want, yaml.String())
			}
		}
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"":                                     "1:1: found nothing, expected a mapping with the keys title, zone, hours, holidays, workdays",
		"zone: UTC\nhuors: {}":                 `2:1: unknown key "huors"; the nearest is "hours"`,
		"zone: UTC":                            `1:1: key "hours" is missing`,
		"zone: Asia/Shangha\nhours: {}":        `1:7: unknown zone "Asia/Shangha", expected an IANA zone, as Asia/Shanghai; the nearest is "Asia/Shanghai"`,
		"zone: Local\nhours: {}":               `1:7: unknown zone "Local"`,
		"zone: UTC\nhours: {mno: 09:00-18:00}": `2:9: found "mno", expected a day, or from one to another as mon-fri; allowed are mon, tue`,
		"zone: UTC\nhours: {mon: 9-18}":        `2:14: found "9-18", expected hours as 09:00-18:00`,
		"zone: UTC\nhours: {mon: 09:00-09:00}": `2:14: found "09:00-09:00", expected times`,
		"zone: UTC\nhours: {mon: 09:60-19:00}": `2:14: found "09:60-19:00", expected times`,
		"zone: UTC\nhours: {mon: [09:00-12:00, 11:00-13:00]}":                  `2:28: 11:00-13:00 overlaps another of the same day`,
		"zone: UTC\nhours: {mon-fri: 09:00-12:00, fri: 11:00-13:00}":           `2:31: fri has hours already, in line 2`,
		"zone: UTC\nhours: {mon: 22:00-06:00, tue: 05:00-13:00}":               `2:8: the hours of mon reach into those of tue`,
		"zone: UTC\nhours: {}\nholidays: [2026-02-30]":                         `3:12: found "2026-02-30", expected a day as 2026-02-15`,
		"zone: UTC\nhours: {}\nholidays: [{from: 2026-02-03, to: 2026-02-01}]": `3:12: found more than 366 days, or an end before the beginning`,
		"zone: UTC\nhours: {}\nholidays: [{from: 2026-02-03}]":                 `3:12: expected either date, or from and to`,
		"zone: UTC\nhours: {}\nholidays: [2026-02-01]\nworkdays: [2026-02-01]": `4:12: 2026-02-01 is given already, in line 3`,
		"zone: UTC\nhours: {}\nholidays: [{dat: 2026-02-03}]":                  `3:13: unknown key "dat"; the nearest is "date"`,
		"zone: [UTC\n": "1:1: not valid YAML",
	} {
		_, faults := calendar.Read("test", []byte(yaml))
		if len(faults) == 0 {
			t.Errorf("%q is read", yaml)
			continue
		}
		var got []string
		for _, f := range faults {
			got = append(got, fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message))
		}
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q:\nfound    %q\nexpected %s", yaml, got, want)
		}
	}
}

// The calendar that the manual shows must be one.
func TestCalendarOfTheManual(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/calendars.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\n")
	block, _, found := strings.Cut(block, "```")
	if c, faults := calendar.Read("manual", []byte(block)); c == nil || !found {
		t.Errorf("%v in\n%s", faults, block)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("zone: Asia/Shanghai\nhours: {mon-fri: [09:00-12:00, 13:00-18:00], sat: 22:00-06:00}\nholidays: [{from: 2026-01-01, to: 2026-01-03, name: a}]\nworkdays: [2026-01-04]\n"), int64(1767225600e9))
	f.Add([]byte("&a [*a]"), int64(-1<<63))
	f.Fuzz(func(t *testing.T, src []byte, at int64) {
		c, faults := calendar.Read("fuzz", src)
		if (c == nil) != (len(faults) > 0) {
			t.Fatalf("found a calendar %v and faults %v", c, faults)
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 || f.Message == "" {
				t.Fatalf("found the fault %+v", f)
			}
		}
		if c != nil {
			if got := c.Cursor().In(at); got != c.In(at) {
				t.Fatalf("at %d the cursor says %v", at, got)
			}
		}
	})
}

func BenchmarkCursor(b *testing.B) {
	c, err := calendar.Shipped("office-hours")
	if err != nil {
		b.Fatal(err)
	}
	cursor, at := c.Cursor(), time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).UnixNano()
	for b.Loop() {
		cursor.In(at)
		at += 1e6
	}
}
