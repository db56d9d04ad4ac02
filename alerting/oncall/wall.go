package oncall

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones on machines that have none
)

// A wall time is what a clock shows: a time.Time in UTC whose date and hours are those of the clock, so that arithmetic
// on it is arithmetic on the clock.

// wallOf gives what the clock of a zone shows at an instant.
func wallOf(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// highest gives the latest time that the clock has shown until an instant: more than it shows in an hour that comes twice.
func highest(t time.Time, zone *time.Location) time.Time {
	w := wallOf(t, zone)
	if changed, _ := t.In(zone).ZoneBounds(); !changed.IsZero() {
		if before := wallOf(changed.Add(-1), zone); before.After(w) {
			return before
		}
	}
	return w
}

// farthest is more than any zone is away from UTC.
const farthest = 36 * time.Hour

// reach gives the first instant at which the clock of a zone has reached a wall time.
func reach(w time.Time, zone *time.Location) time.Time {
	t := w.Add(-farthest)
	for {
		local := t.In(zone)
		_, offset := local.Zone()
		at := w.Add(-time.Duration(offset) * time.Second)
		start, end := local.ZoneBounds()
		switch {
		case !start.IsZero() && at.Before(start): // the clock was put forward over it
			return start.UTC()
		case end.IsZero() || at.Before(end):
			return at
		}
		t = end
	}
}

// parseWall reads a time of a zone's clock, or an instant with its offset, as the clock then shows it.
func parseWall(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return wallOf(t, zone), nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if w, err := time.Parse(layout, s); err == nil {
			return w, nil
		}
	}
	return time.Time{}, fmt.Errorf("found %q, expected a time of the zone's clock such as 2026-11-02T09:00, or an instant such as 2026-11-02T09:00:00+08:00", s)
}

// parseMoment reads an instant: with its offset, or by the clock of a zone.
func parseMoment(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	w, err := parseWall(s, zone)
	if err != nil {
		return w, err
	}
	return reach(w, zone), nil
}
