package oncall

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// frequency is how often a rule comes at least.
type frequency int

const (
	daily frequency = iota
	weekly
	monthly
	yearly
)

var frequencies = []string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"} //nolint:gochecknoglobals // a table

var weekdayNames = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"} //nolint:gochecknoglobals // a table

// rule is a recurrence (RFC 5545, 3.3.10) of whole days, at the hour at which it begins. It is reckoned on a wall.
type rule struct {
	start    time.Time
	freq     frequency
	interval int
	count    int       // 0: without end
	until    time.Time // zero: without end
	days     []nthDay
	dates    []int // of the month, from its end where negative
	months   []int
	places   []int // BYSETPOS
	week     time.Weekday
}

// nthDay is a weekday, or the n-th such day of a month or year, from its end where negative.
type nthDay struct {
	day time.Weekday
	n   int // 0: each
}

const maxInterval = 1_000

// parseRule reads the text of an RRULE of what begins at start on the wall of a zone. What calendars of shifts have no use
// for is refused: more than one time a day, days of the year, weeks by number.
func parseRule(text string, start time.Time, zone *time.Location) (*rule, error) {
	r := &rule{start: start, freq: -1, interval: 1, week: time.Monday}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(text)), ";") {
		name, value, _ := strings.Cut(part, "=")
		if seen[name] {
			return nil, fmt.Errorf("%s stands in it twice", clip(name))
		}
		seen[name] = true
		if err := r.set(name, value, zone); err != nil {
			return nil, err
		}
	}
	if r.freq < 0 {
		return nil, fmt.Errorf("found %q, expected a FREQ", clip(text))
	}
	if r.freq <= weekly && slices.ContainsFunc(r.days, func(d nthDay) bool { return d.n != 0 }) {
		return nil, fmt.Errorf("found %q: a number before a weekday counts in months and years only", clip(text))
	}
	if len(r.days) == 0 && len(r.dates) == 0 { // as DTSTART
		switch r.freq {
		case weekly:
			r.days = []nthDay{{day: start.Weekday()}}
		case yearly:
			if len(r.months) == 0 {
				r.months = []int{int(start.Month())}
			}
			r.dates = []int{start.Day()}
		case monthly:
			r.dates = []int{start.Day()}
		}
	}
	return r, nil
}

func (r *rule) set(name, value string, zone *time.Location) (err error) {
	switch name {
	case "FREQ":
		if r.freq = frequency(slices.Index(frequencies, value)); r.freq < 0 {
			return fmt.Errorf("FREQ: found %q, expected DAILY, WEEKLY, MONTHLY or YEARLY", clip(value))
		}
	case "INTERVAL":
		r.interval, err = bounded(name, value, 1, maxInterval)
	case "COUNT":
		r.count, err = bounded(name, value, 1, 1_000_000)
	case "UNTIL":
		var w time.Time
		var in *time.Location
		var whole bool
		if w, in, whole, err = moment(&property{}, value, zone); err != nil {
			return fmt.Errorf("UNTIL: %w", err)
		}
		if r.until = w; whole {
			r.until = w.Add(day - 1)
		} else if !sameZone(in, zone) {
			r.until = wallOf(reach(w, in), zone)
		}
	case "BYDAY":
		for item := range strings.SplitSeq(value, ",") {
			d := nthDay{}
			number := strings.TrimRight(item, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
			if d.day = time.Weekday(slices.Index(weekdayNames, item[len(number):])); d.day < 0 {
				return fmt.Errorf("BYDAY: found %q, expected days such as MO or -1FR", clip(item))
			}
			if number != "" {
				if d.n, err = bounded(name, strings.TrimPrefix(number, "+"), -53, 53); err != nil {
					return err
				}
			}
			r.days = append(r.days, d)
		}
	case "BYMONTHDAY":
		r.dates, err = list(name, value, -31, 31)
	case "BYMONTH":
		r.months, err = list(name, value, 1, 12)
	case "BYSETPOS":
		r.places, err = list(name, value, -366, 366)
	case "BYHOUR":
		err = sameAs(name, value, r.start.Hour())
	case "BYMINUTE":
		err = sameAs(name, value, r.start.Minute())
	case "BYSECOND":
		err = sameAs(name, value, r.start.Second())
	case "WKST":
		if r.week = time.Weekday(slices.Index(weekdayNames, value)); r.week < 0 {
			return fmt.Errorf("WKST: found %q, expected a day such as MO", clip(value))
		}
	default:
		return fmt.Errorf("%s is not understood, expected FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS or WKST", clip(name))
	}
	return err
}

func bounded(name, value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most || n == 0 {
		return 0, fmt.Errorf("%s: found %q, expected a number from %d to %d", name, clip(value), least, most)
	}
	return n, nil
}

func list(name, value string, least, most int) (out []int, err error) {
	for item := range strings.SplitSeq(value, ",") {
		n, err := bounded(name, item, least, most)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func sameAs(name, value string, want int) error {
	if n, err := strconv.Atoi(value); err != nil || n != want {
		return fmt.Errorf("%s: found %q, expected that of DTSTART, %d: one time a day", name, clip(value), want)
	}
	return nil
}

// each calls take with each start before a time.
func (r *rule) each(to time.Time, take func(w time.Time)) {
	clock := r.start.Sub(r.start.Truncate(day))
	n := 0
	for p := 0; ; p++ {
		first, length := r.period(p)
		if !first.Before(to) || !r.until.IsZero() && first.After(r.until) {
			return
		}
		for _, d := range r.chosen(first, length) {
			w := d.Add(clock)
			if w.Before(r.start) {
				continue
			}
			if n++; !w.Before(to) || r.count > 0 && n > r.count || !r.until.IsZero() && w.After(r.until) {
				return
			}
			take(w)
		}
	}
}

// period gives the first day of the p-th stretch in which the rule holds, and how many days it has.
func (r *rule) period(p int) (first time.Time, length int) {
	today := r.start.Truncate(day)
	switch r.freq {
	case weekly:
		back := int(today.Weekday()-r.week+7) % 7
		return today.AddDate(0, 0, 7*r.interval*p-back), 7
	case monthly:
		first = time.Date(today.Year(), today.Month()+time.Month(r.interval*p), 1, 0, 0, 0, 0, time.UTC)
		return first, daysOf(first, 0, 1)
	case yearly:
		first = time.Date(today.Year()+r.interval*p, 1, 1, 0, 0, 0, 0, time.UTC)
		return first, daysOf(first, 1, 0)
	default:
		return today.AddDate(0, 0, r.interval*p), 1
	}
}

func daysOf(first time.Time, years, months int) int {
	return int(first.AddDate(years, months, 0).Sub(first) / day)
}

// chosen gives the days of a stretch on which the rule comes.
func (r *rule) chosen(first time.Time, length int) []time.Time {
	var out []time.Time
	for i := range length {
		if d := first.AddDate(0, 0, i); r.holds(d, first, length) {
			out = append(out, d)
		}
	}
	if len(r.places) == 0 {
		return out
	}
	var placed []time.Time
	for i, d := range out {
		if slices.Contains(r.places, i+1) || slices.Contains(r.places, i-len(out)) {
			placed = append(placed, d)
		}
	}
	return placed
}

func (r *rule) holds(d, first time.Time, length int) bool {
	if len(r.months) > 0 && !slices.Contains(r.months, int(d.Month())) {
		return false
	}
	month := time.Date(d.Year(), d.Month(), 1, 0, 0, 0, 0, time.UTC)
	if len(r.dates) > 0 && !slices.Contains(r.dates, d.Day()) && !slices.Contains(r.dates, d.Day()-daysOf(month, 0, 1)-1) {
		return false
	}
	if r.freq == yearly && len(r.months) > 0 { // the n-th of the month, then
		first, length = month, daysOf(month, 0, 1)
	}
	at := int(d.Sub(first) / day)
	return len(r.days) == 0 || slices.ContainsFunc(r.days, func(x nthDay) bool {
		return x.day == d.Weekday() && (x.n == 0 || x.n == at/7+1 || x.n == -((length-1-at)/7+1))
	})
}
