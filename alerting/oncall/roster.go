package oncall

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Roster answers who is on call. Make one with New; Run keeps its calendars up to date. Safe for concurrent use.
type Roster struct {
	people    map[string]Person
	names     []string // of schedules, as configured
	schedules map[string]*schedule
	overrides atomic.Pointer[func() []*Override]
}

// schedule is a Schedule that is ready to be asked.
type schedule struct {
	Schedule
	zone      *time.Location
	fixed     []*Override
	rotations []turns
	directory directory
	calendar  atomic.Pointer[Calendar] // nil: none
	stamp     string                   // of the file that was read last
}

// Duty says who is on call for a time.
type Duty struct {
	Schedule string    `json:"schedule"`
	Person   string    `json:"person"` // "": nobody
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"` // zero: no end in sight
	By       string    `json:"by"`             // what says so: the id of an override, calendar, a rotation's name; none: nobody
}

// New makes a roster of a valid configuration, and reads its calendars. Warnings tell what in them counts for nothing.
func New(c Config, now time.Time) (r *Roster, warnings []string, err error) {
	r = &Roster{people: map[string]Person{}, schedules: map[string]*schedule{}}
	for _, p := range c.People {
		r.people[p.Name] = p
	}
	for i := range c.Schedules {
		s, err := compile(c.Schedules[i], c.People)
		if err != nil {
			return nil, nil, fmt.Errorf("schedules[%d].%w", i, err)
		}
		if s.ICal != "" {
			more, err := s.read(now)
			if err != nil {
				return nil, nil, fmt.Errorf("schedules[%d].ical: %w", i, err)
			}
			for _, w := range more {
				warnings = append(warnings, fmt.Sprintf("schedules[%d].ical: %s: %s", i, s.ICal, w))
			}
		}
		r.names, r.schedules[s.Name] = append(r.names, s.Name), s
	}
	return r, warnings, nil
}

func compile(c Schedule, people []Person) (*schedule, error) {
	s := &schedule{Schedule: c, directory: newDirectory(people)}
	var err error
	if s.zone, err = time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		return nil, fmt.Errorf("zone: found %q, expected an IANA name such as Asia/Shanghai", c.Zone)
	}
	for i, o := range c.Overrides {
		v := &Override{ID: fmt.Sprintf("overrides[%d]", i), Schedule: c.Name, Person: o.Person, Author: "configuration"}
		if v.From, err = parseMoment(o.From, s.zone); err != nil {
			return nil, fmt.Errorf("overrides[%d].from: %w", i, err)
		}
		if v.Until, err = parseMoment(o.Until, s.zone); err != nil {
			return nil, fmt.Errorf("overrides[%d].until: %w", i, err)
		}
		s.fixed = append(s.fixed, v)
	}
	for i, r := range c.Rotations {
		t, err := r.compile(s.zone, i)
		if err != nil {
			return nil, fmt.Errorf("rotations[%d].%w", i, err)
		}
		s.rotations = append(s.rotations, t)
	}
	return s, nil
}

// read reads the schedule's file, if it changed since it was read.
func (s *schedule) read(now time.Time) (warnings []string, err error) {
	info, err := os.Stat(s.ICal)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	stamp := fmt.Sprint(info.ModTime().UnixNano(), info.Size())
	if stamp == s.stamp {
		return nil, nil
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: found %d bytes, expected at most %d", s.ICal, info.Size(), maxFile)
	}
	text, err := os.ReadFile(s.ICal)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	c, warnings, err := ReadCalendar(string(text), s.zone, s.directory.find, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.ICal, err)
	}
	s.calendar.Store(c)
	s.stamp = stamp
	return warnings, nil
}

// Overrides has the roster ask for those that people made, in the order in which they were made. It may be called once,
// before the roster is asked.
func (r *Roster) Overrides(source func() []*Override) { r.overrides.Store(&source) }

// Schedules gives the names of all schedules, as configured.
func (r *Roster) Schedules() []string { return slices.Clone(r.names) }

// People gives the names of all people, in order.
func (r *Roster) People() []string {
	names := make([]string, 0, len(r.people))
	for name := range r.people {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *Roster) knows(person string) bool {
	_, ok := r.people[person]
	return ok
}

// at asks a schedule's parts in their order.
func (r *Roster) at(s *schedule, t time.Time) Duty {
	d := Duty{Schedule: s.Name}
	if source := r.overrides.Load(); source != nil {
		o, until := standing((*source)(), s.Name, t, r.knows)
		if d.Until = until; o != nil {
			d.Person, d.By = o.Person, o.ID
			return d
		}
	}
	o, until := standing(s.fixed, s.Name, t, r.knows)
	if d.Until = sooner(d.Until, until); o != nil {
		d.Person, d.By = o.Person, o.ID
		return d
	}
	if c := s.calendar.Load(); c != nil {
		person, until := c.at(t)
		if d.Until = sooner(d.Until, until); person != "" {
			d.Person, d.By = person, "calendar"
			return d
		}
	}
	for i := range s.rotations {
		person, until := s.rotations[i].at(t)
		if d.Until = sooner(d.Until, until); person != "" {
			d.Person, d.By = person, s.rotations[i].name
			return d
		}
	}
	return d
}

// At gives who is on call in a schedule at an instant; the end is that of what is certain, and the beginning is left out.
// false: there is no such schedule.
func (r *Roster) At(name string, t time.Time) (Duty, bool) {
	s := r.schedules[name]
	if s == nil {
		return Duty{}, false
	}
	return r.at(s, t), true
}

// lookAround is how far is looked for the beginning and the end of a shift.
const lookAround = 31 * day

// Duty gives who is on call in a schedule at an instant, from when and until when. A beginning or an end that lies more than
// a month away is left out.
func (r *Roster) Duty(name string, t time.Time) Duty {
	for _, d := range r.Shifts(name, t.Add(-lookAround), t.Add(lookAround)) {
		if t.Before(d.From) || !t.Before(d.Until) {
			continue
		}
		if d.From.Equal(t.Add(-lookAround)) {
			d.From = time.Time{}
		}
		if d.Until.Equal(t.Add(lookAround)) {
			d.Until = time.Time{}
		}
		d.From, d.Until = d.From.UTC(), d.Until.UTC()
		return d
	}
	return Duty{Schedule: name}
}

// maxSteps bounds how many changes are looked at for one answer.
const maxSteps = 20_000

// Shifts gives who is on call from one instant to another, without gaps: where nobody is, a Duty says so.
func (r *Roster) Shifts(name string, from, to time.Time) []Duty {
	s := r.schedules[name]
	if s == nil {
		return nil
	}
	var out []Duty
	for t, n := from, 0; t.Before(to) && n < maxSteps; n++ {
		d := r.at(s, t)
		if d.From = t; d.Until.IsZero() || d.Until.After(to) {
			d.Until = to
		}
		t = d.Until
		if last := len(out) - 1; last >= 0 && out[last].Person == d.Person && out[last].By == d.By {
			out[last].Until = d.Until
			continue
		}
		out = append(out, d)
	}
	return out
}

// farAhead is how far is looked for who is on call next.
const farAhead = 92 * day

// Next gives who is on call after so many changes of the person from an instant on; times of nobody are passed over. A Duty
// without a person: nobody for three months.
func (r *Roster) Next(name string, t time.Time, ahead int) Duty {
	s := r.schedules[name]
	if s == nil {
		return Duty{}
	}
	d := r.at(s, t)
	end := t.Add(farAhead)
	for n := 0; ahead > 0; n++ {
		if d.Until.IsZero() || !d.Until.Before(end) || n == maxSteps {
			return Duty{Schedule: name}
		}
		next := r.at(s, d.Until)
		next.From = d.Until
		if next.Person == "" || next.Person == d.Person {
			next.Person, next.By = d.Person, d.By
		} else {
			ahead--
		}
		d = next
	}
	return d
}

// Receivers gives the receivers that are told for a schedule at an instant, and who is on call: those of the person, those
// of the schedule's default where nobody is, or none.
func (r *Roster) Receivers(name string, t time.Time, ahead int) ([]string, Duty) {
	s := r.schedules[name]
	if s == nil {
		return nil, Duty{}
	}
	d := r.Next(name, t, ahead)
	if d.Person == "" {
		return s.Default, d
	}
	return r.people[d.Person].Receivers, d
}
