package calendar

import (
	"time"
	_ "time/tzdata" // zones on machines that have none
)

// Calendar is one calendar. Read makes it.
type Calendar struct {
	Name string // of its file, without the ending
	File string // where it was read, "" for one that is shipped

	zone  *time.Location
	days  [7][]span       // by time.Weekday
	dates map[date][]span // days that are not like their weekday: none for a holiday
	years map[int]bool    // of which holidays are listed
}

// span is a stretch of a day in seconds from midnight. It ends in the next day where to is not above from.
type span struct{ from, to int }

const day = 24 * 3600

// date is a day on the wall, whatever the zone.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

func (d date) add(days int) date {
	return dateOf(time.Date(d.year, d.month, d.day+days, 0, 0, 0, 0, time.UTC))
}

func (d date) weekday() time.Weekday {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Weekday()
}

// spans gives the stretches that begin on a day.
func (c *Calendar) spans(d date) []span {
	if own, there := c.dates[d]; there {
		return own
	}
	return c.days[d.weekday()]
}

// In says whether an instant, in nanoseconds since 1970, lies within the calendar's hours.
func (c *Calendar) In(at int64) bool {
	in, _, _ := c.around(at)
	return in
}

// around gives the truth at an instant, and a time around it, [from, to), in which it stays the same.
func (c *Calendar) around(at int64) (in bool, from, to int64) {
	t := time.Unix(0, at).In(c.zone)
	h, m, s := t.Clock()
	now := h*3600 + m*60 + s
	low, high := 0, day // the edges next to now
	edge := func(e int) {
		if e <= now {
			low = max(low, e)
		} else {
			high = min(high, e)
		}
	}
	today := dateOf(t)
	for _, sp := range c.spans(today.add(-1)) {
		if sp.to <= sp.from { // it reaches into today
			in = in || now < sp.to
			edge(sp.to)
		}
	}
	for _, sp := range c.spans(today) {
		end := sp.to
		if sp.to <= sp.from {
			end = day
		}
		in = in || now >= sp.from && now < end
		edge(sp.from)
		edge(end)
	}
	// Between two changes of the zone the wall runs like the clock.
	begin := at - int64(t.Nanosecond()) - int64(now)*1e9
	from, to = begin+int64(low)*1e9, begin+int64(high)*1e9
	changed, changes := t.ZoneBounds()
	if !changed.IsZero() {
		if x := changed.UnixNano(); x <= at { // else it lies beyond what nanoseconds hold
			from = max(from, x)
		}
	}
	if !changes.IsZero() {
		if x := changes.UnixNano(); x > at {
			to = min(to, x)
		}
	}
	return in, from, to
}

// Lacks says whether the calendar lists holidays, but none for the year of an instant: its hours are then those of
// ordinary weeks.
func (c *Calendar) Lacks(at time.Time) (year int, lacks bool) {
	year = at.In(c.zone).Year()
	return year, len(c.years) > 0 && !c.years[year]
}

// Cursor looks up instants that lie near one another without looking at the calendar each time. Make it with Cursor.
type Cursor struct {
	calendar *Calendar
	from, to int64
	in       bool
}

// Cursor makes a cursor.
func (c *Calendar) Cursor() *Cursor { return &Cursor{calendar: c} }

// In is the calendar's In.
func (c *Cursor) In(at int64) bool {
	if at < c.from || at >= c.to {
		c.in, c.from, c.to = c.calendar.around(at)
	}
	return c.in
}
