package route

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// DefaultRepeat is how often an alert that still fires is told again where no route says otherwise: often enough
// that a shift does not miss it, seldom enough that nobody mutes the robot.
const DefaultRepeat = 4 * time.Hour

// MinRepeat is the shortest repeat_interval.
const MinRepeat = time.Second

// The times of groups where no route says otherwise: long enough for what belongs to one incident to come together,
// and seldom enough that an incident that goes on does not flood.
const (
	DefaultGroupWait     = 30 * time.Second
	DefaultGroupInterval = 5 * time.Minute
)

// MinGroupWait is the shortest group_wait and group_interval.
const MinGroupWait = time.Millisecond

// Repeats are repeat intervals by severity; 0 leaves one as the route above has it.
type Repeats struct {
	Critical time.Duration `yaml:"critical" doc:"for critical alerts"`
	High     time.Duration `yaml:"high" doc:"for high alerts"`
	Warn     time.Duration `yaml:"warn" doc:"for warnings"`
	Info     time.Duration `yaml:"info" doc:"for info alerts"`
}

// Config is one node of the tree.
type Config struct {
	Match          []string      `yaml:"match" doc:"conditions that all must hold: NAME OP VALUE; names severity, rule, status, state, labels.NAME, key.FIELD; operators =, !=, =~, !~, in [a, b], not in [a, b]; none: every alert"`
	Receivers      []string      `yaml:"receivers" doc:"names of the receivers that are told, oncall:SCHEDULE for whoever is on call, oncall:SCHEDULE+1 for who is next; none: those of the route above"`
	Continue       bool          `yaml:"continue" doc:"let the routes behind this one match as well"`
	RepeatInterval time.Duration `yaml:"repeat_interval" doc:"an alert that still fires is told again after this; 0: as the route above, 4h at the top"`
	Repeat         Repeats       `yaml:"repeat" doc:"the same by severity, in place of repeat_interval; 0: as the route above, then its repeat_interval"`
	GroupBy        []string      `yaml:"group_by" doc:"alerts with the same values of these are told together: rule, severity, status, labels.NAME, key.FIELD; ... or all: each alert by itself; none: as the route above, at the top each at once"`
	GroupWait      time.Duration `yaml:"group_wait" doc:"how long the first of a group waits for others; 0: as the route above, 30s at the top"`
	GroupInterval  time.Duration `yaml:"group_interval" doc:"after a message about a group, the next one comes no earlier; 0: as the route above, 5m at the top"`
	Escalate       []Step        `yaml:"escalate" doc:"who is told as well when an alert goes on and nobody acknowledges it; none: as the route above, [] nobody"`
	Routes         []Config      `yaml:"routes" doc:"routes tried in order for alerts that match this one"`
}

// IsZero says whether nothing at all is configured.
func (c Config) IsZero() bool {
	return len(c.Match) == 0 && len(c.Receivers) == 0 && len(c.Routes) == 0 && len(c.Escalate) == 0 && !c.Continue && c.RepeatInterval == 0 &&
		c.Repeat == (Repeats{}) && len(c.GroupBy) == 0 && c.GroupWait == 0 && c.GroupInterval == 0
}

// Validate gives all faults, each with the path of its key below path; receivers are the known names, with oncall:NAME
// for each schedule.
func (c Config) Validate(path string, receivers []string) error {
	var errs []error
	for i, text := range c.Match {
		if _, err := ParseMatcher(text); err != nil {
			errs = append(errs, fmt.Errorf("%s.match[%d]: %w", path, i, err))
		}
	}
	for i, name := range c.Receivers {
		errs = append(errs, checkReceiver(fmt.Sprintf("%s.receivers[%d]", path, i), name, receivers))
	}
	for i := range c.Escalate {
		errs = append(errs, c.Escalate[i].validate(fmt.Sprintf("%s.escalate[%d]", path, i), receivers))
	}
	if _, err := newGrouping(c.GroupBy); err != nil {
		errs = append(errs, fmt.Errorf("%s.group_by%w", path, err))
	}
	for _, d := range []struct {
		key        string
		value, min time.Duration
	}{
		{"repeat_interval", c.RepeatInterval, MinRepeat},
		{"repeat.critical", c.Repeat.Critical, MinRepeat},
		{"repeat.high", c.Repeat.High, MinRepeat},
		{"repeat.warn", c.Repeat.Warn, MinRepeat},
		{"repeat.info", c.Repeat.Info, MinRepeat},
		{"group_wait", c.GroupWait, MinGroupWait},
		{"group_interval", c.GroupInterval, MinGroupWait},
	} {
		if d.value != 0 && d.value < d.min {
			errs = append(errs, fmt.Errorf("%s.%s: found %v, expected at least %v", path, d.key, d.value, d.min))
		}
	}
	for i := range c.Routes {
		errs = append(errs, c.Routes[i].Validate(fmt.Sprintf("%s.routes[%d]", path, i), receivers))
	}
	return errors.Join(errs...)
}

func names(receivers []string) string {
	if len(receivers) == 0 {
		return "none"
	}
	return strings.Join(receivers, ", ")
}
