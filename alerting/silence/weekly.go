package silence

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Weekly is a stretch of hours on some days of the week, by the clocks of a zone. One that ends at or before the hour at
// which it begins goes on into the next day.
type Weekly struct {
	Days  []string `json:"days" yaml:"days" doc:"mon, tue, wed, thu, fri, sat, sun; none: every day"`
	From  string   `json:"from" yaml:"from" doc:"hour at which it begins, as 22:30"`
	Until string   `json:"until" yaml:"until" doc:"hour at which it ends; at or before from: on the next day; 24:00 is midnight"`
	Zone  string   `json:"zone" yaml:"zone" doc:"IANA name of the zone, as Asia/Shanghai; none: UTC"`
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} //nolint:gochecknoglobals // a table

// week is a Weekly that is ready to be asked.
type week struct {
	days        [7]bool
	from, until time.Duration // of the clocks, since midnight
	over        bool          // ends on the next day
	zone        *time.Location
}

func (w Weekly) compile() (week, error) {
	c := week{}
	for i, d := range w.Days {
		n := slices.Index(dayNames, strings.ToLower(d))
		if n < 0 {
			return c, fmt.Errorf("days[%d]: found %q, expected one of mon, tue, wed, thu, fri, sat, sun", i, d)
		}
		c.days[n] = true
	}
	if len(w.Days) == 0 {
		c.days = [7]bool{true, true, true, true, true, true, true}
	}
	var err error
	if c.from, err = hour(w.From); err != nil || c.from == 24*time.Hour {
		return c, fmt.Errorf("from: found %q, expected an hour such as 22:30", w.From)
	}
	if c.until, err = hour(w.Until); err != nil {
		return c, fmt.Errorf("until: found %q, expected an hour such as 06:00 or 24:00", w.Until)
	}
	c.over = c.until <= c.from
	if c.zone, err = zone(w.Zone); err != nil {
		return c, fmt.Errorf("zone: %w", err)
	}
	return c, nil
}

// zone finds a zone; that of the machine counts as none, for it is not the same for all alerters.
func zone(name string) (*time.Location, error) {
	z, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("found %q, expected an IANA name such as Asia/Shanghai", name)
	}
	return z, nil
}

// hour reads HH:MM, 00:00 to 24:00.
func hour(s string) (time.Duration, error) {
	var h, m int
	if n, err := fmt.Sscanf(s, "%d:%d", &h, &m); err != nil || n != 2 || len(s) != len("15:04") || h < 0 || m < 0 || m > 59 || h*60+m > 24*60 {
		return 0, fmt.Errorf("found %q", s)
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, nil
}

// within says whether a time lies in a stretch, and when that ends. Where the clocks jump over its beginning or end, that
// is at the jump.
func (w *week) within(now time.Time) (end time.Time, in bool) {
	local := now.In(w.zone)
	for back := range 2 { // today's stretch, or yesterday's that goes on
		day := local.AddDate(0, 0, -back)
		if !w.days[day.Weekday()] {
			continue
		}
		to := day
		if w.over {
			to = day.AddDate(0, 0, 1)
		}
		begin, stop := w.at(day, w.from), w.at(to, w.until)
		if !now.Before(begin) && now.Before(stop) && stop.After(end) {
			end, in = stop, true
		}
	}
	return end, in
}

// at gives the moment when the clocks show an hour of a day.
func (w *week) at(day time.Time, since time.Duration) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), int(since/time.Hour), int(since%time.Hour/time.Minute), 0, 0, w.zone)
}
