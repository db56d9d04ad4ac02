package date

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// epoch reads a number of units since 1970, exactly where it is written without an exponent; without a unit that is
// told by the number of digits, which holds from 2001 to 2286.
func epoch(s, unit string) (time.Time, bool) {
	whole, part, _ := strings.Cut(s, ".")
	digits := len(strings.TrimPrefix(whole, "-"))
	if digits == 0 {
		return time.Time{}, false
	}
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Abs(f) >= 1<<63 {
			return time.Time{}, false
		}
		return epoch(strconv.FormatFloat(f, 'f', -1, 64), unit)
	}
	scale, ok := scaleOf(unit, digits)
	if !ok {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || whole[0] == '+' || math.Abs(float64(n))*float64(scale) >= 1<<63 {
		return time.Time{}, false
	}
	rest := int64(0)
	for _, c := range []byte(part) {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
	}
	for weight := scale / 10; part != "" && weight > 0; weight /= 10 {
		rest += int64(part[0]-'0') * weight
		part = part[1:]
	}
	if whole[0] == '-' {
		rest = -rest
	}
	t := time.Unix(0, n*scale).Add(time.Duration(rest)).UTC()
	return t, inRange(t)
}

// scaleOf gives a unit in nanoseconds.
func scaleOf(unit string, digits int) (int64, bool) {
	switch unit {
	case "s":
		return 1e9, true
	case "ms":
		return 1e6, true
	case "us":
		return 1e3, true
	case "ns":
		return 1, true
	}
	switch {
	case unit != "" || digits < 9:
		return 0, false // "2026" or "20261121" is no number of seconds
	case digits <= 10:
		return 1e9, true
	case digits <= 13:
		return 1e6, true
	case digits <= 16:
		return 1e3, true
	}
	return 1, true
}
