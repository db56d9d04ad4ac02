package inhibit

import (
	"errors"
	"fmt"

	"imwatch/alerting/route"
	"imwatch/event"
)

// Rule says that alerts that satisfy Target are not told while one fires that satisfies Source and has the same values of
// Equal.
type Rule struct {
	Source []string `yaml:"source" doc:"conditions, as in routes, on the alert that is told"`
	Target []string `yaml:"target" doc:"conditions on the alerts that are its consequence"`
	Equal  []string `yaml:"equal" doc:"names, such as key.service.node.name, that both must have with the same value; none: any two"`
}

// Validate gives all faults, each with its key.
func (r Rule) Validate() error {
	var errs []error
	for _, l := range []struct {
		key   string
		texts []string
	}{{"source", r.Source}, {"target", r.Target}} {
		if len(l.texts) == 0 {
			errs = append(errs, fmt.Errorf("%s: at least one condition is needed", l.key))
		}
		if _, err := route.ParseMatchers(l.texts); err != nil {
			errs = append(errs, fmt.Errorf("%s%w", l.key, err))
		}
	}
	for i, name := range r.Equal {
		if _, err := route.Value(name); err != nil {
			errs = append(errs, fmt.Errorf("equal[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// rule is a Rule that is ready to be asked.
type rule struct {
	source, target []route.Matcher
	equal          []func(*event.Alert) string
}

func compile(r Rule) (c rule, err error) {
	if err := r.Validate(); err != nil {
		return c, err
	}
	if c.source, err = route.ParseMatchers(r.Source); err != nil {
		return c, err //nolint:wrapcheck // Validate has been through it
	}
	if c.target, err = route.ParseMatchers(r.Target); err != nil {
		return c, err //nolint:wrapcheck // the same
	}
	for _, name := range r.Equal {
		of, err := route.Value(name)
		if err != nil {
			return c, err //nolint:wrapcheck // the same
		}
		c.equal = append(c.equal, of)
	}
	return c, nil
}

// tuple gives the values of Equal as one text; false if the alert lacks one.
func (r *rule) tuple(a *event.Alert) (string, bool) {
	var b []byte
	for _, of := range r.equal {
		v := of(a)
		if v == "" {
			return "", false
		}
		b = append(append(b, v...), 0)
	}
	return string(b), true
}
