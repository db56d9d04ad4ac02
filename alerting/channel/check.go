package channel

import (
	"fmt"
	"slices"
	"strings"

	"imwatch/event"
)

// CheckFormat refuses a format that is not one of a channel's, with the nearest.
func CheckFormat(path, found string, allowed ...string) error {
	return CheckOneOf(path+".format", found, allowed...)
}

// CheckOneOf refuses a value that is not one of those allowed, with the nearest.
func CheckOneOf(key, found string, allowed ...string) error {
	if slices.Contains(allowed, found) {
		return nil
	}
	hint := ""
	if near := event.Nearest(found, allowed); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("%s: found %q, expected %s%s", key, found, strings.Join(allowed, " or "), hint)
}

// CheckPace refuses a budget that is none.
func CheckPace(path string, perMinute, reserve int) error {
	switch {
	case perMinute < 1:
		return fmt.Errorf("%s.per_minute: found %d, expected at least 1", path, perMinute)
	case reserve < 0 || reserve > 0 && reserve >= perMinute:
		return fmt.Errorf("%s.reserve: found %d, expected 0 to less than per_minute (%d)", path, reserve, perMinute)
	}
	return nil
}

// CheckNumbers refuses a list of telephone numbers that is empty or holds something else. The error holds no number.
func CheckNumbers(path string, numbers []string) error {
	if len(numbers) == 0 {
		return fmt.Errorf("%s.numbers: at least one number is needed", path)
	}
	for i, n := range numbers {
		digits := strings.TrimPrefix(n, "+")
		if len(digits) < 5 || strings.Trim(digits, "0123456789") != "" {
			return fmt.Errorf("%s.numbers[%d]: expected a number of digits, such as +8613800000000", path, i)
		}
	}
	return nil
}
