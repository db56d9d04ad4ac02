package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a unit of durations; a day is 24 hours.
type unit struct {
	name string
	size time.Duration
}

// units gives the units from the largest, in which order they may be combined.
func units() []unit {
	return []unit{
		{"w", 7 * 24 * time.Hour},
		{"d", 24 * time.Hour},
		{"h", time.Hour},
		{"m", time.Minute},
		{"s", time.Second},
		{"ms", time.Millisecond},
	}
}

const durationHelp = `a number and a unit of ms, s, m, h, d, w, as in "90s" or "1h30m"`

// ParseDuration reads a duration of a rule: whole numbers with the units w d h m s ms, from the larger to the smaller,
// each at most once: "500ms", "1h30m", "0s". It is never negative.
func ParseDuration(s string) (time.Duration, error) {
	rest, total, last := s, time.Duration(0), -1
	if s == "" {
		return 0, fmt.Errorf("found nothing, expected %s", durationHelp)
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("found %q, expected %s", s, durationHelp)
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		place, size, ok := findUnit(rest[:letters])
		if !ok {
			return 0, fmt.Errorf("found %q, expected %s", s, durationHelp)
		}
		if place <= last {
			return 0, fmt.Errorf("found %q, expected the units from the larger to the smaller, each once, as in \"1h30m\"", s)
		}
		if n > (math.MaxInt64-int64(total))/int64(size) {
			return 0, fmt.Errorf("found %q, expected at most %s", s, FormatDuration(math.MaxInt64))
		}
		total, last, rest = total+time.Duration(n)*size, place, rest[letters:]
	}
	return total, nil
}

func findUnit(name string) (place int, size time.Duration, ok bool) {
	for i, u := range units() {
		if u.name == name {
			return i, u.size, true
		}
	}
	return 0, 0, false
}

// FormatDuration prints a duration as ParseDuration reads it: "1h30m", "0s". What is below a millisecond is cut.
func FormatDuration(d time.Duration) string {
	var b strings.Builder
	for _, u := range units() {
		if n := int64(d / u.size); n > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + u.name)
			d %= u.size
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
