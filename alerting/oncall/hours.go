package oncall

import (
	"time"

	"imwatch/alerting/hours"
)

// day is the length of a day on the wall.
const day = hours.Day

func (h Hours) compile() (hours.Week, error) {
	return hours.Read(h.Days, h.From, h.Until) //nolint:wrapcheck // it says where
}

// within says whether the clock shows an hour of one of the stretches at an instant, and gives a time before which that
// does not change.
func within(list []hours.Week, t time.Time, zone *time.Location) (in bool, until time.Time) {
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
		if s.Over() && s.On[yesterday] {
			in = in || now < s.Until
			near(s.Until)
		}
		if s.On[today] {
			end := s.Until
			if s.Over() {
				end = day
			}
			in = in || now >= s.From && now < end
			near(s.From)
			near(end)
		}
	}
	until = t.Add(edge - now) // between two changes of the zone the wall runs like the clock
	if _, changes := t.In(zone).ZoneBounds(); !changes.IsZero() && changes.Before(until) {
		until = changes
	}
	return in, until
}
