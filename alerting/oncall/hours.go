package oncall

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} //nolint:gochecknoglobals // a table

// day is the length of a day on the wall.
const day = 24 * time.Hour

// stretch is Hours that are ready to be asked, in time since midnight.
type stretch struct {
	days        [7]bool
	from, until time.Duration
}

func (h Hours) compile() (s stretch, err error) {
	for i, d := range h.Days {
		n := slices.Index(dayNames, strings.ToLower(d))
		if n < 0 {
			return s, fmt.Errorf("days[%d]: found %q, expected one of mon, tue, wed, thu, fri, sat, sun", i, d)
		}
		s.days[n] = true
	}
	if len(h.Days) == 0 {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	if s.from, err = hour(h.From); err != nil || s.from == day {
		return s, fmt.Errorf("from: found %q, expected an hour such as 09:00", h.From)
	}
	if s.until, err = hour(h.Until); err != nil {
		return s, fmt.Errorf("until: found %q, expected an hour such as 18:00 or 24:00", h.Until)
	}
	return s, nil
}

// hour reads HH:MM, 00:00 to 24:00.
func hour(s string) (time.Duration, error) {
	if s == "24:00" {
		return day, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("found %q", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// within says whether the clock shows an hour of one of the stretches at an instant, and gives a time before which that
// does not change.
func within(list []stretch, t time.Time, zone *time.Location) (in bool, until time.Time) {
	w := wallOf(t, zone)
	midnight := w.Truncate(day)
	now := w.Sub(midnight)
	edge := day
	near := func(e time.Duration) {
		if e > now && e < edge {
			edge = e
		}
	}
	today := midnight.Weekday()
	yesterday := (today + 6) % 7
	for _, s := range list {
		over := s.until <= s.from
		if over && s.days[yesterday] {
			in = in || now < s.until
			near(s.until)
		}
		if s.days[today] {
			end := s.until
			if over {
				end = day
			}
			in = in || now >= s.from && now < end
			near(s.from)
			near(end)
		}
	}
	until = t.Add(edge - now) // between two changes of the zone the wall runs like the clock
	if _, changes := t.In(zone).ZoneBounds(); !changes.IsZero() && changes.Before(until) {
		until = changes
	}
	return in, until
}
