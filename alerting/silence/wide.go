package silence

import (
	"imwatch/alerting/route"
	"imwatch/event"
)

// Wide says whether conditions hold any alert: those of a rule that nobody has thought of, in each severity.
func Wide(list []route.Matcher) bool {
	for _, severity := range event.Severities() {
		stranger := event.Alert{RuleID: "a rule that nobody has thought of", Severity: severity, Status: "enabled", State: event.StateFiring}
		if !route.MatchAll(list, &stranger) {
			return false
		}
	}
	return true
}

// Matching gives what says whether an alert satisfies a silence's conditions, whether it is on or not. A condition that
// cannot be read is an error that names it.
func Matching(s *Silence) (func(*event.Alert) bool, error) {
	list, err := route.ParseMatchers(s.Match)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says where
	}
	return func(a *event.Alert) bool { return route.MatchAll(list, a) }, nil
}
