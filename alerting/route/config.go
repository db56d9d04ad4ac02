package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultRepeat is how often an alert that still fires is told again where no route says otherwise: often enough
// that a shift does not miss it, seldom enough that nobody mutes the robot.
const DefaultRepeat = 4 * time.Hour

// MinRepeat is the shortest repeat_interval.
const MinRepeat = time.Second

// Config is one node of the tree.
type Config struct {
	Match          []string      `yaml:"match" doc:"conditions that all must hold: NAME OP VALUE; names severity, rule, status, state, labels.NAME, key.FIELD; operators =, !=, =~, !~, in [a, b], not in [a, b]; none: every alert"`
	Receivers      []string      `yaml:"receivers" doc:"names of the receivers that are told; none: those of the route above"`
	Continue       bool          `yaml:"continue" doc:"let the routes behind this one match as well"`
	RepeatInterval time.Duration `yaml:"repeat_interval" doc:"an alert that still fires is told again after this; 0: as the route above, 4h at the top"`
	Routes         []Config      `yaml:"routes" doc:"routes tried in order for alerts that match this one"`
}

// IsZero says whether nothing at all is configured.
func (c Config) IsZero() bool {
	return len(c.Match) == 0 && len(c.Receivers) == 0 && len(c.Routes) == 0 && !c.Continue && c.RepeatInterval == 0
}

// Validate gives all faults, each with the path of its key below path; receivers are the known names.
func (c Config) Validate(path string, receivers []string) error {
	var errs []error
	for i, text := range c.Match {
		if _, err := ParseMatcher(text); err != nil {
			errs = append(errs, fmt.Errorf("%s.match[%d]: %w", path, i, err))
		}
	}
	for i, name := range c.Receivers {
		if !slices.Contains(receivers, name) {
			errs = append(errs, fmt.Errorf("%s.receivers[%d]: unknown receiver %q, known are: %s", path, i, name, names(receivers)))
		}
	}
	if c.RepeatInterval != 0 && c.RepeatInterval < MinRepeat {
		errs = append(errs, fmt.Errorf("%s.repeat_interval: found %v, expected at least %v", path, c.RepeatInterval, MinRepeat))
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
