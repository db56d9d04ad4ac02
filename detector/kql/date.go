package kql

import (
	"fmt"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
)

// span is the instants that a written date covers: from ≤ t < to, or the one instant from if to is zero.
type span struct{ from, to time.Time }

// precision is a form of dates and how long what it leaves open lasts. Elasticsearch fills what is missing at the
// upper end with the first month and day, but the last hour, minute, second and nanosecond: so "2026-11" covers
// the first of November only, and so it does here.
type precision struct {
	layout string
	length time.Duration
	zoned  bool // a zone may follow
}

func precisions() []precision {
	const day = 24 * time.Hour
	return []precision{
		{"2006", day, false},
		{"2006-01", day, false},
		{"2006-01-02", day, false},
		{"2006-01-02T15", time.Hour, true},
		{"2006-01-02T15:04", time.Minute, true},
		{"2006-01-02T15:04:05", time.Second, true},
	}
}

const dateHelp = `a date as "2026-11-21" or "2026-11-21T10:00:00Z" (in quotes because of the colons; UTC where no zone is given)`

// parseDate reads the forms of Elasticsearch's strict_date_optional_time_nanos.
func parseDate(s string) (span, error) {
	lower := strings.ToLower(s)
	if strings.HasPrefix(lower, "now") || strings.Contains(s, "||") {
		return span{}, fmt.Errorf("found %q; times that depend on when one looks (now, date math) are not allowed in a rule, expected %s", s, dateHelp)
	}
	whole, fraction := cutFraction(s)
	for _, p := range precisions() {
		t, ok := p.parse(whole)
		if !ok {
			continue
		}
		if !inRange(t) || !inRange(t.Add(p.length)) {
			return span{}, fmt.Errorf("found %q, expected a date between 1678 and 2262", s)
		}
		if fraction == "" {
			return span{t, t.Add(p.length)}, nil
		}
		nanos, err := time.ParseDuration("0." + fraction + "s")
		if err != nil || len(fraction) > 9 || p.length != time.Second {
			break
		}
		return span{from: t.Add(nanos)}, nil
	}
	return span{}, fmt.Errorf("found %q, expected %s", s, dateHelp)
}

func inRange(t time.Time) bool { return t.Year() > 1677 && t.Year() < 2262 }

func (p precision) parse(s string) (time.Time, bool) {
	if !sameShape(s, p.layout) {
		return time.Time{}, false
	}
	layouts := []string{p.layout}
	if p.zoned {
		layouts = append(layouts, p.layout+"Z07:00", p.layout+"Z0700", p.layout+"Z07")
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// sameShape says whether s begins with digits and marks where the layout has them: time.Parse takes 9:30 for 09:30.
func sameShape(s, layout string) bool {
	if len(s) < len(layout) {
		return false
	}
	for i := range len(layout) {
		if digit := layout[i] >= '0' && layout[i] <= '9'; digit != (s[i] >= '0' && s[i] <= '9') || !digit && s[i] != layout[i] {
			return false
		}
	}
	return true
}

// cutFraction takes the digits after the seconds out of a date: 10:00:00.5Z gives 10:00:00Z and 5.
func cutFraction(s string) (whole, fraction string) {
	i := strings.IndexAny(s, ".,")
	if i < 0 {
		return s, ""
	}
	rest := s[i+1:]
	fraction = rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	if fraction == "" {
		return s, "" // which no form takes
	}
	return s[:i] + rest[len(fraction):], fraction
}

func matchDate(f filter.Field, text string) (filter.Expr, error) {
	d, err := parseDate(text)
	if err != nil {
		return nil, err
	}
	from := event.DateValue(d.from)
	if d.to.IsZero() {
		return filter.Equal{Field: f, Value: from}, nil
	}
	to := event.DateValue(d.to)
	return filter.Range{Field: f, From: &from, FromClosed: true, To: &to}, nil
}

// compareDate rounds as Elasticsearch: > and <= look at the end of what is written, >= and < at its beginning.
func compareDate(f filter.Field, op, text string) (filter.Expr, error) {
	d, err := parseDate(text)
	if err != nil {
		return nil, err
	}
	from, to := event.DateValue(d.from), event.DateValue(d.to)
	if d.to.IsZero() {
		return bounded(f, op, from), nil
	}
	switch op {
	case ">":
		return filter.Range{Field: f, From: &to, FromClosed: true}, nil
	case ">=":
		return filter.Range{Field: f, From: &from, FromClosed: true}, nil
	case "<":
		return filter.Range{Field: f, To: &from}, nil
	}
	return filter.Range{Field: f, To: &to}, nil
}
