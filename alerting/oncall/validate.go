package oncall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/event"
)

// Validate gives all faults, each with its key below path; receivers are the known names. The files of calendars are read.
func (c Config) Validate(path string, receivers []string, now time.Time) error {
	v := checker{receivers: receivers}
	for i := range c.People {
		v.people = append(v.people, c.People[i].Name)
	}
	for i := range c.People {
		v.person(fmt.Sprintf("%s.people[%d]", path, i), i, &c.People[i])
	}
	var names []string
	for i := range c.Schedules {
		at, s := fmt.Sprintf("%s.schedules[%d]", path, i), &c.Schedules[i]
		if s.Name == "" || strings.ContainsAny(s.Name, "+ ,:") || slices.Contains(names, s.Name) {
			v.fault(at+".name", "found %q, expected a name without +, comma, colon and blank that no other schedule has", s.Name)
		}
		names = append(names, s.Name)
		v.schedule(at, s)
	}
	if err := errors.Join(v.errs...); err != nil {
		return err
	}
	if _, _, err := New(c, now); err != nil {
		return fmt.Errorf("%s.%w", path, err)
	}
	return nil
}

type checker struct {
	receivers, people []string
	errs              []error
}

func (v *checker) fault(key, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

// among checks a name that must be known.
func (v *checker) among(key, what, name string, known []string) {
	if slices.Contains(known, name) {
		return
	}
	near := ""
	if n := event.Nearest(name, known); n != "" {
		near = fmt.Sprintf("; did you mean %q?", n)
	}
	all := strings.Join(known, ", ")
	if all == "" {
		all = "none"
	}
	v.fault(key, "unknown %s %q, known are: %s%s", what, name, all, near)
}

func (v *checker) person(at string, place int, p *Person) {
	if strings.TrimSpace(p.Name) == "" || slices.Index(v.people, p.Name) < place {
		v.fault(at+".name", "found %q, expected a name that nobody else has", p.Name)
	}
	if len(p.Receivers) == 0 {
		v.fault(at+".receivers", "at least one is needed: nobody else knows how to tell %s", p.Name)
	}
	for i, r := range p.Receivers {
		v.among(fmt.Sprintf("%s.receivers[%d]", at, i), "receiver", r, v.receivers)
	}
}

func (v *checker) schedule(at string, s *Schedule) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Zone == "Local" {
		v.fault(at+".zone", "found %q, expected an IANA name such as Asia/Shanghai", s.Zone)
		return
	}
	if s.ICal == "" && len(s.Rotations) == 0 {
		v.fault(at, "rotations or ical is needed: nobody would ever be on call")
	}
	for i, r := range s.Rotations {
		key := fmt.Sprintf("%s.rotations[%d]", at, i)
		if r.Every < MinTurn || r.Every > MaxTurn {
			v.fault(key+".every", "found %v, expected 1h to 366d", r.Every)
		}
		if len(r.People) == 0 {
			v.fault(key+".people", "at least one is needed")
		}
		for j, p := range r.People {
			v.among(fmt.Sprintf("%s.people[%d]", key, j), "person", p, v.people)
		}
		if _, err := r.compile(zone, i); err != nil {
			v.errs = append(v.errs, fmt.Errorf("%s.%w", key, err))
		} else if t, _ := parseMoment(r.Start, zone); t.Year() < firstYear || t.Year() > lastYear {
			v.fault(key+".start", "found %q, expected a year from %d to %d", r.Start, firstYear, lastYear)
		}
	}
	for i, o := range s.Overrides {
		v.override(fmt.Sprintf("%s.overrides[%d]", at, i), o, zone)
	}
	for i, r := range s.Default {
		v.among(fmt.Sprintf("%s.default[%d]", at, i), "receiver", r, v.receivers)
	}
}

func (v *checker) override(at string, o StandIn, zone *time.Location) {
	v.among(at+".person", "person", o.Person, v.people)
	from, err := parseMoment(o.From, zone)
	if err != nil {
		v.fault(at+".from", "%v", err)
		return
	}
	until, err := parseMoment(o.Until, zone)
	if err != nil {
		v.fault(at+".until", "%v", err)
	} else if !from.Before(until) {
		v.fault(at+".until", "%s is not after from, %s", o.Until, o.From)
	}
}

// lookAhead is how far gaps are looked for.
const lookAhead = 60 * day

// Warnings tells, of a valid configuration, what may be meant but looks like a mistake: stand-ins that overlap, what in
// calendars counts for nothing, and when nobody is on call within the next 60 days.
func (c Config) Warnings(path string, now time.Time) []string {
	r, found, err := New(c, now)
	if err != nil {
		return []string{fmt.Sprintf("%s.%v", path, err)}
	}
	for i := range found {
		found[i] = path + "." + found[i]
	}
	for i, name := range r.names {
		at := fmt.Sprintf("%s.schedules[%d]", path, i)
		fixed := r.schedules[name].fixed
		for j, o := range fixed {
			for k := range j {
				if fixed[k].From.Before(o.Until) && o.From.Before(fixed[k].Until) {
					found = append(found, fmt.Sprintf("%s.overrides[%d]: it overlaps with overrides[%d]; the last one counts", at, j, k))
				}
			}
		}
		told := 0
		for _, d := range r.Shifts(name, now, now.Add(lookAhead)) {
			if d.Person != "" {
				continue
			}
			if told++; told > maxTold {
				found = append(found, at+": …")
				break
			}
			whom := "and default names nobody"
			if def := r.schedules[name].Default; len(def) > 0 {
				whom = "told are " + strings.Join(def, ", ")
			}
			zone := r.schedules[name].zone
			found = append(found, fmt.Sprintf("%s: nobody is on call from %s to %s, %s", at, d.From.In(zone).Format(time.RFC3339), d.Until.In(zone).Format(time.RFC3339), whom))
		}
	}
	return found
}
