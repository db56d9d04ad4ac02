package ruletest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/detector/rule"
	"imwatch/event"
)

// compare says what differs between the state changes expected and those that came. Resolved and updated count only
// when the test lists one of them.
func compare(expect []rule.Expect, alerts []*event.Alert) []string {
	all := false
	for i := range expect {
		all = all || expect[i].State != event.StateFiring
	}
	var came []*event.Alert
	for _, a := range alerts {
		if all || a.State == event.StateFiring {
			came = append(came, a)
		}
	}
	pairs := match(expect, came)
	var failures []string
	taken := make([]bool, len(came))
	for i, j := range pairs {
		if j < 0 {
			failures = append(failures, fmt.Sprintf("line %d: expected %s: it did not come", expect[i].Line, describe(&expect[i])))
			continue
		}
		taken[j] = true
	}
	for j, a := range came {
		if !taken[j] {
			failures = append(failures, "not expected: "+show(a))
		}
	}
	return failures
}

// match gives for each expectation the place of a state change that satisfies it, -1 where there is none, each used
// once, so that as many as possible are satisfied.
func match(expect []rule.Expect, came []*event.Alert) []int {
	pairs, owner := make([]int, len(expect)), make([]int, len(came))
	for i := range pairs {
		pairs[i] = -1
	}
	for j := range owner {
		owner[j] = -1
	}
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for j, a := range came {
			if tried[j] || !satisfies(&expect[i], a) {
				continue
			}
			tried[j] = true
			if owner[j] < 0 || place(owner[j], tried) { // a loose expectation gives way to an exact one
				owner[j], pairs[i] = i, j
				return true
			}
		}
		return false
	}
	for i := range expect {
		place(i, make([]bool, len(came)))
	}
	return pairs
}

func satisfies(x *rule.Expect, a *event.Alert) bool {
	off := a.Time.Sub(start()) - x.At
	switch {
	case a.State != x.State, off.Abs() > x.Within:
		return false
	case x.Value != nil && *x.Value != a.Value, x.Severity != "" && x.Severity != a.Severity:
		return false
	case x.Summary != "" && x.Summary != a.Annotations["summary"]:
		return false
	}
	for _, want := range x.Key {
		if !slices.Contains(a.Key, want) {
			return false
		}
	}
	return true
}

func describe(x *rule.Expect) string {
	s := x.State + " at " + offset(x.At)
	if x.Within > 0 {
		s += " ± " + offset(x.Within)
	}
	if len(x.Key) > 0 {
		s += " for " + (&event.Alert{Key: x.Key}).KeyString()
	}
	if x.Value != nil {
		s += " with value " + number(*x.Value)
	}
	if x.Severity != "" {
		s += ", severity " + x.Severity
	}
	if x.Summary != "" {
		s += ", summary " + strconv.Quote(x.Summary)
	}
	return s
}

func show(a *event.Alert) string {
	s := fmt.Sprintf("%s at %s for %s with value %s, severity %s", a.State, offset(a.Time.Sub(start())), a.KeyString(), number(a.Value), a.Severity)
	if text := a.Annotations["summary"]; text != "" {
		s += ", summary " + strconv.Quote(text)
	}
	return s
}

// offset prints an instant after the start as rules write it, with what is below a millisecond where there is any.
func offset(d time.Duration) string {
	if d < 0 || d%time.Millisecond != 0 {
		return strings.TrimSuffix(d.String(), "m0s")
	}
	return rule.FormatDuration(d)
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
