// Package hours reads hours of the week as schedules and silences have them. What they mean where clocks are changed is
// the business of whoever asks.
package hours

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Day is the length of a day by the clock on the wall.
const Day = 24 * time.Hour

// Week is a stretch of hours on some days of the week.
type Week struct {
	On          [7]bool       // by time.Weekday
	From, Until time.Duration // by the clock, since midnight
}

// Over says whether the stretch ends on the next day: at or before the hour at which it begins.
func (w Week) Over() bool { return w.Until <= w.From }

// Days gives the names of the days, in the order of time.Weekday.
func Days() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// Read reads names of days (none: every day) and two hours, 00:00 to 24:00. An error begins with what is wrong: days[1],
// from or until.
func Read(days []string, from, until string) (w Week, err error) {
	for i, d := range days {
		n := slices.Index(Days(), strings.ToLower(d))
		if n < 0 {
			return w, fmt.Errorf("days[%d]: found %q, expected one of mon, tue, wed, thu, fri, sat, sun", i, d)
		}
		w.On[n] = true
	}
	if len(days) == 0 {
		w.On = [7]bool{true, true, true, true, true, true, true}
	}
	var ok bool
	if w.From, ok = hour(from); !ok || w.From == Day {
		return w, fmt.Errorf("from: found %q, expected an hour such as 09:00", from)
	}
	if w.Until, ok = hour(until); !ok {
		return w, fmt.Errorf("until: found %q, expected an hour such as 18:00 or 24:00", until)
	}
	return w, nil
}

func hour(s string) (time.Duration, bool) {
	if s == "24:00" {
		return Day, true
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil && len(s) == len("15:04")
}
