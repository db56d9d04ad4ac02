package route

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
)

// onCallPrefix begins the names that stand for whoever is on call.
const onCallPrefix = "oncall:"

// maxAhead is how many changes of the person on call a name may look ahead.
const maxAhead = 9

// OnCall reads a name that stands for whoever is on call in a schedule: oncall:NAME, or oncall:NAME+1 for who is next. ok
// is false for names of receivers.
func OnCall(name string) (schedule string, ahead int, ok bool) {
	schedule, ok = strings.CutPrefix(name, onCallPrefix)
	if !ok {
		return "", 0, false
	}
	if before, n, plus := strings.Cut(schedule, "+"); plus {
		ahead, err := strconv.Atoi(n)
		if err != nil || ahead < 1 || ahead > maxAhead {
			return schedule, 0, true // no schedule is called so
		}
		return before, ahead, true
	}
	return schedule, 0, true
}

// IsOnCall says whether a name is one of those that OnCall reads.
func IsOnCall(name string) bool { return strings.HasPrefix(name, onCallPrefix) }

// OnCallName gives the name that stands for whoever is on call in a schedule.
func OnCallName(schedule string) string { return onCallPrefix + schedule }

// When a step counts.
const (
	UnlessAcked = "acked"
	UnlessNever = "never"
)

// MinAfter is the shortest time of a step.
const MinAfter = time.Second

// Step is one step of the escalation of a route: who is told as well when an alert goes on.
type Step struct {
	After     time.Duration `yaml:"after" doc:"how long the alert has been told already"`
	Receivers []string      `yaml:"receivers" doc:"who is told then: names of receivers, oncall:SCHEDULE, or oncall:SCHEDULE+1 for who is next"`
	Unless    string        `yaml:"unless" doc:"acked: not while somebody acknowledged it; never: whatever is"`
	Match     []string      `yaml:"match" doc:"conditions that the alert must satisfy as well, as those of routes"`
}

// SetDefaults makes s the default.
func (s *Step) SetDefaults() { *s = Step{Unless: UnlessAcked} }

func (s *Step) validate(path string, receivers []string) error {
	var errs []error
	if s.After < MinAfter {
		errs = append(errs, fmt.Errorf("%s.after: found %v, expected at least %v", path, s.After, MinAfter))
	}
	if len(s.Receivers) == 0 {
		errs = append(errs, fmt.Errorf("%s.receivers: at least one is needed", path))
	}
	for i, name := range s.Receivers {
		errs = append(errs, checkReceiver(fmt.Sprintf("%s.receivers[%d]", path, i), name, receivers))
	}
	if s.Unless != "" && s.Unless != UnlessAcked && s.Unless != UnlessNever {
		errs = append(errs, fmt.Errorf("%s.unless: found %q, expected %s or %s", path, s.Unless, UnlessAcked, UnlessNever))
	}
	if _, err := ParseMatchers(s.Match); err != nil {
		errs = append(errs, fmt.Errorf("%s.match%w", path, err))
	}
	return errors.Join(errs...)
}

// checkReceiver checks a name against those that are known: receivers, and oncall:NAME for each schedule.
func checkReceiver(path, name string, known []string) error {
	full := name
	if schedule, _, ok := OnCall(name); ok {
		full = OnCallName(schedule)
	}
	if slices.Contains(known, full) {
		return nil
	}
	near := ""
	if n := event.Nearest(name, known); n != "" {
		near = fmt.Sprintf("; did you mean %q?", n)
	}
	return fmt.Errorf("%s: unknown receiver %q, known are: %s%s", path, name, names(known), near)
}

// Escalation is a compiled step. Immutable.
type Escalation struct {
	ID         string // the same as long as the step says the same
	After      time.Duration
	Receivers  []string
	Regardless bool // of acknowledgements
	matchers   []Matcher
}

func (s *Step) compile() (Escalation, error) {
	matchers, err := ParseMatchers(s.Match)
	if err != nil {
		return Escalation{}, fmt.Errorf("escalate: match%w", err)
	}
	id := s.After.String() + " " + strings.Join(s.Receivers, ",")
	if s.Unless == UnlessNever {
		id += " always"
	}
	return Escalation{id, s.After, s.Receivers, s.Unless == UnlessNever, matchers}, nil
}

// Escalations gives the steps of the routes that an alert takes, the first first, each once.
func (t *Tree) Escalations(a *event.Alert) []Escalation {
	var found []Escalation
	t.taken(a, func(n *Tree) {
		for _, s := range n.steps {
			if MatchAll(s.matchers, a) && !slices.ContainsFunc(found, func(f Escalation) bool { return f.ID == s.ID }) {
				found = append(found, s)
			}
		}
	})
	slices.SortStableFunc(found, func(x, y Escalation) int { return int(max(-1, min(1, x.After-y.After))) })
	return found
}

// taken calls take with each route that keeps an alert for itself.
func (t *Tree) taken(a *event.Alert, take func(*Tree)) bool {
	if !MatchAll(t.matchers, a) {
		return false
	}
	below := false
	for _, c := range t.children {
		if c.taken(a, take) {
			if below = true; !c.cont {
				break
			}
		}
	}
	if !below {
		take(t)
	}
	return true
}
