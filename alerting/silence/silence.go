package silence

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"imwatch/alerting/route"
)

// Silence keeps alerts that satisfy all of Match from being told while it is on. It ends nothing: an alert that still
// fires when the silence is over is told then.
type Silence struct {
	ID     string    `json:"id" yaml:"id" doc:"name of the silence, unique"`
	Match  []string  `json:"match" yaml:"match" doc:"conditions that all must hold, as in routes"`
	Author string    `json:"author" yaml:"author" doc:"who wants it"`
	Reason string    `json:"reason" yaml:"reason" doc:"why"`
	From   time.Time `json:"from,omitzero" yaml:"from" doc:"when it begins; none: it has begun"`
	Until  time.Time `json:"until,omitzero" yaml:"until" doc:"when it ends; none: never, which only a weekly one may"`
	Weekly []Weekly  `json:"weekly,omitempty" yaml:"weekly" doc:"on at these hours only; none: all the time"`
	Zone   string    `json:"zone,omitempty" yaml:"zone" doc:"IANA name of the zone in which from and until are shown, as Asia/Shanghai; none: UTC"`
	Kind   string    `json:"kind,omitempty" yaml:"kind" doc:"maintenance: when it ends, people are told once how many alerts it held and how many still fire; none: a silence"`
	All    bool      `json:"all,omitempty" yaml:"all" doc:"say true where the conditions hold any alert, or where there are none"`
	// Edited is when somebody last changed it, and EditedBy who; the audit has what.
	Edited   time.Time `json:"edited,omitzero" yaml:"-"`
	EditedBy string    `json:"edited_by,omitempty" yaml:"-"`
	// Ended is when somebody ended it before its time, and EndedBy who; zero: nobody did.
	Ended   time.Time `json:"ended,omitzero" yaml:"-"`
	EndedBy string    `json:"ended_by,omitempty" yaml:"-"`
}

// Maintenance is the kind of a silence that is a maintenance window.
const Maintenance = "maintenance"

// maxText bounds author and reason, in bytes, and maxMatch the conditions.
const (
	maxText   = 1000
	maxMatch  = 50
	maxWeekly = 50
)

// Validate gives all faults, each with its key.
func (s *Silence) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if len(s.Match) == 0 && !s.All || len(s.Match) > maxMatch {
		fault("match", "found %d conditions, expected 1 to %d, or all: true where everything is meant", len(s.Match), maxMatch)
	}
	switch list, err := route.ParseMatchers(s.Match); {
	case err != nil:
		errs = append(errs, fmt.Errorf("match%w", err))
	case len(list) > 0 && !s.All && Wide(list):
		fault("match", "these conditions hold any alert, whatever its rule, severity and key: say all: true where that is meant")
	}
	if s.Kind != "" && s.Kind != Maintenance {
		fault("kind", "found %q, expected maintenance, or nothing", s.Kind)
	}
	if _, err := zone(s.Zone); err != nil {
		errs = append(errs, fmt.Errorf("zone: %w", err))
	}
	for _, t := range []struct{ key, text string }{{"author", s.Author}, {"reason", s.Reason}} {
		if strings.TrimSpace(t.text) == "" || len(t.text) > maxText {
			fault(t.key, "found %d bytes, expected 1 to %d: who meets it must know whom to ask and why it is there", len(strings.TrimSpace(t.text)), maxText)
		}
	}
	for _, t := range []struct {
		key string
		at  time.Time
	}{{"from", s.From}, {"until", s.Until}} {
		if y := t.at.UTC().Year(); y < 0 || y > 9999 {
			fault(t.key, "found the year %d, expected 0 to 9999", y)
		}
	}
	switch {
	case s.Until.IsZero() && len(s.Weekly) == 0:
		fault("until", "needed: only a weekly silence may have no end")
	case !s.Until.IsZero() && !s.From.Before(s.Until):
		fault("until", "%s is not after from, %s", s.Until.Format(time.RFC3339), s.From.Format(time.RFC3339))
	}
	if len(s.Weekly) > maxWeekly {
		fault("weekly", "found %d stretches, expected at most %d", len(s.Weekly), maxWeekly)
	}
	for i := range s.Weekly {
		if _, err := s.Weekly[i].compile(); err != nil {
			errs = append(errs, fmt.Errorf("weekly[%d].%w", i, err))
		}
	}
	return errors.Join(errs...)
}

// compiled is a silence that is ready to be asked.
type compiled struct {
	*Silence
	until  time.Time // the earlier of Until and Ended; zero: never
	weekly []week
}

func compile(s *Silence) (compiled, []route.Matcher, error) {
	if err := s.Validate(); err != nil {
		return compiled{}, nil, err
	}
	c := compiled{Silence: s, until: s.Until}
	if !s.Ended.IsZero() && (c.until.IsZero() || s.Ended.Before(c.until)) {
		c.until = s.Ended
	}
	for i := range s.Weekly {
		w, err := s.Weekly[i].compile()
		if err != nil {
			return compiled{}, nil, err
		}
		c.weekly = append(c.weekly, w)
	}
	matchers, err := route.ParseMatchers(s.Match)
	return c, matchers, err //nolint:wrapcheck // Validate has been through it
}

// on says whether the silence is on at a time, and until when; the zero time: for ever.
func (c *compiled) on(now time.Time) (until time.Time, on bool) {
	if now.Before(c.From) || !c.until.IsZero() && !now.Before(c.until) {
		return time.Time{}, false
	}
	if len(c.weekly) == 0 {
		return c.until, true
	}
	for i := range c.weekly {
		end, in := c.weekly[i].within(now)
		if !in {
			continue
		}
		if on = true; end.After(until) {
			until = end
		}
	}
	if on && !c.until.IsZero() && c.until.Before(until) {
		until = c.until
	}
	return until, on
}

// Over gives when the silence ended for good; the zero time: it has not.
func (s *Silence) Over(now time.Time) time.Time {
	for _, end := range []time.Time{s.Ended, s.Until} {
		if !end.IsZero() && !now.Before(end) {
			return end
		}
	}
	return time.Time{}
}
