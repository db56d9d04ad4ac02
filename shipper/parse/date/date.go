// Package date reads the instants of log lines: RFC 3339, numbers of seconds and their parts since 1970, and whatever
// layouts are named.
package date

import (
	"fmt"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/shipper/parse/fault"
)

// The names of layouts that are no form of text.
const (
	RFC3339 = "rfc3339"  // with any fraction
	Epoch   = "epoch"    // since 1970; seconds, milli-, micro- or nanoseconds by their number of digits
	Seconds = "epoch_s"  // a fraction is allowed, here and below
	Millis  = "epoch_ms" //
	Micros  = "epoch_us" //
	Nanos   = "epoch_ns" //
)

// Options say how instants are written.
type Options struct {
	// Layouts are tried in turn: Go's notation, or one of the names above. None: RFC 3339, epoch and the usual forms.
	Layouts []string
	// Location is where instants without a zone are. nil: UTC.
	Location *time.Location
	// Now is asked where a layout has no year: the year is the one that puts the instant last before a day from now.
	// nil: time.Now.
	Now func() time.Time
}

// Parser reads instants. It remembers which layout fitted last, so it is not safe for concurrent use.
type Parser struct {
	layouts  []string
	location *time.Location
	now      func() time.Time
	last     int
	given    bool
}

// New checks the layouts: one that names no part of a date is refused.
func New(o Options) (*Parser, error) {
	p := &Parser{layouts: o.Layouts, location: o.Location, now: o.Now, given: len(o.Layouts) > 0}
	if p.location == nil {
		p.location = time.UTC
	}
	if p.now == nil {
		p.now = time.Now
	}
	if !p.given {
		p.layouts = usual()
	}
	for _, l := range o.Layouts {
		if err := check(l); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// usual are the forms that are tried when none is named.
func usual() []string {
	return []string{
		RFC3339,
		Epoch,
		"02/Jan/2006:15:04:05 -0700",
		"2006/01/02 - 15:04:05",
		"2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05",
		"2006-01-02T15:04:05",
		"2006-01-02T15:04:05Z0700",
		"2006-01-02 15:04:05 Z0700",
		"2006/01/02 15:04:05",
		time.ANSIC,
		time.RFC1123,
		time.RFC1123Z,
		time.Stamp,
	}
}

func check(layout string) error {
	switch layout {
	case RFC3339, Epoch, Seconds, Millis, Micros, Nanos:
		return nil
	}
	at := time.Date(2009, 11, 23, 18, 37, 42, 0, time.UTC)
	near := event.Nearest(layout, []string{RFC3339, Epoch, Seconds, Millis, Micros, Nanos})
	switch {
	case strings.Contains(layout, "%"):
		return fmt.Errorf("%q is strftime's notation; Go's is expected, as in %q, or one of %s", layout, time.DateTime, names())
	case at.Format(layout) == layout:
		if near != "" {
			return fmt.Errorf("%q names no part of a date; did you mean %q?", layout, near)
		}
		return fmt.Errorf("%q names no part of a date; Go's notation is expected, as in %q, or one of %s", layout, time.DateTime, names())
	}
	if at.AddDate(0, 0, 1).Format(layout) == at.Format(layout) {
		if near != "" {
			return fmt.Errorf("%q says no day; did you mean %q?", layout, near)
		}
		return fmt.Errorf("%q says no day", layout)
	}
	if _, err := time.Parse(layout, at.Format(layout)); err != nil {
		return fmt.Errorf("%q cannot be read back: %w", layout, err)
	}
	return nil
}

func names() string {
	return strings.Join([]string{RFC3339, Epoch, Seconds, Millis, Micros, Nanos}, ", ")
}

// Parse reads one instant, in UTC. Its errors are *fault.Error of reason "time".
func (p *Parser) Parse(s string) (time.Time, error) {
	if t, ok := p.try(s, p.layouts[p.last]); ok {
		return t, nil
	}
	for i, l := range p.layouts {
		if t, ok := p.try(s, l); ok {
			p.last = i
			return t, nil
		}
	}
	switch {
	case !p.given:
		return time.Time{}, fault.New("time", "timestamp: %q is in no known form; set time_layouts", s)
	case len(p.layouts) == 1:
		return time.Time{}, fault.New("time", "timestamp: %q is not of the form %q", s, p.layouts[0])
	}
	return time.Time{}, fault.New("time", "timestamp: %q is of none of the forms %q", s, p.layouts)
}

// In reads a number of units since 1970.
func In(s, unit string) (time.Time, error) {
	t, ok := epoch(s, unit)
	if !ok {
		return time.Time{}, fault.New("time", "timestamp: %q is no number of %s since 1970 between 1700 and 2200", s, unit)
	}
	return t, nil
}

func (p *Parser) try(s, layout string) (time.Time, bool) {
	switch layout {
	case RFC3339:
		v, ok := event.Parse(event.Date, s)
		if !ok {
			return time.Time{}, false
		}
		return v.Time(), true
	case Epoch:
		return epoch(s, "")
	case Seconds, Millis, Micros, Nanos:
		return epoch(s, strings.TrimPrefix(layout, "epoch_"))
	}
	t, err := time.ParseInLocation(layout, s, p.location)
	if err != nil {
		return t, false
	}
	if t.Year() == 0 && !strings.Contains(layout, "06") {
		t = p.inYear(t)
	}
	return t.UTC(), inRange(t)
}

// inYear gives an instant without a year the last one that does not put it into the future.
func (p *Parser) inYear(t time.Time) time.Time {
	limit := p.now().In(t.Location()).AddDate(0, 0, 1)
	at := t.AddDate(limit.Year(), 0, 0)
	for at.After(limit) || at.Day() != t.Day() { // the 29th of February is not in every year
		limit = limit.AddDate(0, 0, -limit.YearDay())
		at = t.AddDate(limit.Year(), 0, 0)
	}
	return at
}

func inRange(t time.Time) bool { return t.Year() >= 1700 && t.Year() <= 2200 }
