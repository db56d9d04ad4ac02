package silence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/hours"
)

// ParseWeekly reads weekly hours as people write them: DAYS HOURS ZONE, such as "mon-fri 22:00-06:00 Asia/Shanghai". Days are
// names, lists and ranges of them (fri-mon, "mon,wed"), and may be left out, as may the zone.
func ParseWeekly(text string) (Weekly, error) {
	w := Weekly{}
	words := strings.Fields(text)
	bad := func() (Weekly, error) {
		return Weekly{}, fmt.Errorf(`found %q, expected days, hours and a zone such as "mon-fri 22:00-06:00 Asia/Shanghai"`, text)
	}
	if len(words) > 0 && !strings.Contains(words[0], ":") {
		days, err := parseDays(words[0])
		if err != nil {
			return Weekly{}, fmt.Errorf("found %q: %w", text, err)
		}
		w.Days, words = days, words[1:]
	}
	if len(words) == 0 || len(words) > 2 {
		return bad()
	}
	var ok bool
	if w.From, w.Until, ok = strings.Cut(words[0], "-"); !ok {
		return bad()
	}
	if len(words) == 2 {
		w.Zone = words[1]
	}
	if _, err := w.compile(); err != nil {
		return Weekly{}, fmt.Errorf("found %q: %w", text, err)
	}
	return w, nil
}

// parseDays reads names of days, lists and ranges, which may go over the week's end.
func parseDays(text string) ([]string, error) {
	var days []string
	names := hours.Days()
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(names, first), slices.Index(names, last)
		if from < 0 || to < 0 {
			return nil, fmt.Errorf("days: found %q, expected names such as mon, mon-fri or sat,sun", part)
		}
		for i := from; ; i = (i + 1) % len(names) {
			if !slices.Contains(days, names[i]) {
				days = append(days, names[i])
			}
			if i == to {
				break
			}
		}
	}
	return days, nil
}

// String gives weekly hours as ParseWeekly reads them.
func (w Weekly) String() string {
	text := w.From + "-" + w.Until
	if len(w.Days) > 0 {
		text = strings.Join(w.Days, ",") + " " + text
	}
	if w.Zone != "" {
		text += " " + w.Zone
	}
	return text
}

// ParseTime reads a moment: RFC 3339, or day and hour by the clocks of a zone, as "2026-11-28 22:00". Where the clocks jump
// over it, it is as much later.
func ParseTime(text, zoneName string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	z, err := zone(zoneName)
	if err != nil {
		return time.Time{}, fmt.Errorf("zone: %w", err)
	}
	return ParseTimeIn(text, z)
}

// ParseTimeIn is ParseTime by the clocks of a zone that is known.
func ParseTimeIn(text string, z *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, z); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("found %q, expected a time such as 2026-11-28T22:00:00+08:00, or 2026-11-28 22:00 by the clocks of a zone", text)
}
