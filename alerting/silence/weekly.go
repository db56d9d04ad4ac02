package silence

import (
	"fmt"
	"time"

	"imwatch/alerting/hours"
)

// Weekly is a stretch of hours on some days of the week, by the clocks of a zone. One that ends at or before the hour at
// which it begins goes on into the next day.
type Weekly struct {
	Days  []string `json:"days" yaml:"days" doc:"mon, tue, wed, thu, fri, sat, sun; none: every day"`
	From  string   `json:"from" yaml:"from" doc:"hour at which it begins, as 22:30"`
	Until string   `json:"until" yaml:"until" doc:"hour at which it ends; at or before from: on the next day; 24:00 is midnight"`
	Zone  string   `json:"zone" yaml:"zone" doc:"IANA name of the zone, as Asia/Shanghai; none: UTC"`
}

// week is a Weekly that is ready to be asked.
type week struct {
	hours.Week
	zone *time.Location
}

func (w Weekly) compile() (c week, err error) {
	if c.Week, err = hours.Read(w.Days, w.From, w.Until); err != nil {
		return c, err //nolint:wrapcheck // it says where
	}
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

// within says whether a time lies in a stretch, and when that ends. Where the clocks jump over its beginning or end, that
// is at the jump.
func (w *week) within(now time.Time) (end time.Time, in bool) {
	local := now.In(w.zone)
	for back := range 2 { // today's stretch, or yesterday's that goes on
		day := local.AddDate(0, 0, -back)
		if !w.On[day.Weekday()] {
			continue
		}
		to := day
		if w.Over() {
			to = day.AddDate(0, 0, 1)
		}
		begin, stop := w.at(day, w.From), w.at(to, w.Until)
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
