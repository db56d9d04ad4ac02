package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
)

// naiveAbsence looks at the time since the last event, of an expected key also since the stream's start.
func naiveAbsence(r *rule.Rule, start int64) naiveKind {
	k := naiveKind{
		start: start,
		truth: func(r *rule.Rule, events []*event.Event, t int64, settled bool) (float64, bool) {
			a := r.Detect.Absence
			last, heard := naiveLast(r, events, start)
			silence := t - last
			value := float64(silence/1e9) + float64(silence%1e9)/1e9
			expected := true // naive leaves other keys out
			if a.Expect.Learn > 0 {
				expected = heard && silence < int64(a.Expect.Learn)
			}
			return value, settled && expected && silence >= int64(a.Window.Duration)
		},
		enters: matches,
		// Time that passes after an event that another one followed is nothing to look at.
		idle: func(r *rule.Rule, events []*event.Event, t int64) bool {
			last, _ := naiveLast(r, events, start)
			return !slices.Contains(naiveAfter(r), time.Duration(t-last))
		},
		after: naiveAfter,
	}
	if r.Detect.Absence.Expect.Learn == 0 {
		k.expected = naiveExpected
	}
	return k
}

func naiveLast(r *rule.Rule, events []*event.Event, start int64) (last int64, heard bool) {
	last = start
	for _, e := range events {
		if matches(r, e) {
			last, heard = e.UnixNano(), true
		}
	}
	return last, heard
}

func naiveAfter(r *rule.Rule) []time.Duration {
	a := r.Detect.Absence
	all := []time.Duration{a.Window.Duration}
	if a.Expect.Learn > 0 {
		all = append(all, a.Expect.Learn)
	}
	for _, s := range r.SeverityWhen { // > only
		all = append(all, time.Duration(s.Is.Limit*1e9)+1)
	}
	return all
}

func naiveExpected(r *rule.Rule) (keys []string) {
	for _, values := range r.Detect.Absence.Expect.Keys {
		key := ""
		for _, v := range values {
			key += "/" + v
		}
		keys = append(keys, key)
	}
	return keys
}

func drawAbsence(t *rapid.T) string {
	return fmt.Sprintf("absence: {window: %ds EXPECT}", rapid.IntRange(1, 9).Draw(t, "window"))
}

// drawExpect gives the expected keys of a rule with a group_by, ready to be put behind the window.
func drawExpect(t *rapid.T, group string) string {
	if group == "" {
		return ""
	}
	if rapid.Bool().Draw(t, "learns") {
		return fmt.Sprintf(", expect: {learn: %ds}", rapid.IntRange(10, 20).Draw(t, "learn"))
	}
	values := map[string][]string{"user.id": {"u1", "u2", "never"}, "event.type": {"start", "info", "_missing"}}
	var keys []string
	for range rapid.IntRange(1, 3).Draw(t, "keys") {
		var parts []string
		for field := range strings.SplitSeq(group, ", ") {
			parts = append(parts, field+": "+rapid.SampledFrom(values[field]).Draw(t, field))
		}
		key := "{" + strings.Join(parts, ", ") + "}"
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return ", expect: [" + strings.Join(keys, ", ") + "]"
}
