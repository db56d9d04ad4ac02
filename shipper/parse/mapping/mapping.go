package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/date"
)

// Options say how lines become events.
type Options struct {
	Fields []Field
	Dates  *date.Parser // of timestamps; needed
	Names  []string     // those that a line can have; nil: any, as in JSON
	Rest   string       // what becomes of values that no entry takes; "": Keep
	Ignore []Condition  // lines to leave out
}

// Mapping holds the values of one line and makes an event of them. Not safe for concurrent use.
type Mapping struct {
	dates     *date.Parser
	names     []string // nil: any
	rest      string
	slots     map[string]int
	entries   []entry
	actions   []int // those entries that may give the action
	times     []int
	timesFrom string // the names that they take it from
	ignore    [][]test

	values []slot
	taken  []bool // by place: an entry takes it, a condition only looks at it
	others []other

	byCode  map[string]event.Action
	targets map[string]int  // numbers of the fields that entries fill
	labels  map[string]bool // made of values that no entry takes
	done    []bool          // those that have a value, by number
}

// entry is a Field, compiled.
type entry struct {
	Field
	when  []test
	slots []int
	table map[string]string
	field event.Field
	goal  int // number of To
}

// slot is where a value that an entry takes stands.
type slot struct {
	there  bool
	json   bool
	text   string
	folded string // text without case, once it was asked for
}

// other is a value that no entry takes.
type other struct{ name, raw string }

// New compiles the entries. All faults are named at once, each by the place of its entry.
func New(o Options) (*Mapping, error) {
	m := &Mapping{dates: o.Dates, names: o.Names, rest: o.Rest, slots: map[string]int{}, targets: map[string]int{}, labels: map[string]bool{}, byCode: actions()}
	var errs []error
	switch m.rest {
	case "":
		m.rest = Keep
	case Keep, Labels, Drop:
	default:
		errs = append(errs, fmt.Errorf("rest: found %q, allowed are %s, %s and %s", m.rest, Keep, Labels, Drop))
	}
	for i := range o.Fields {
		if err := m.add(o.Fields[i]); err != nil {
			for fault := range strings.SplitSeq(err.Error(), "\n") {
				errs = append(errs, fmt.Errorf("fields[%d]: %s", i, fault))
			}
		}
	}
	for i, c := range o.Ignore {
		tests, err := m.compileCondition(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("ignore[%d]: %w", i, err))
		}
		m.ignore = append(m.ignore, tests)
	}
	if len(errs) == 0 && len(m.times) == 0 {
		errs = append(errs, errors.New("fields: nothing goes to timestamp, and an event needs its time"))
	}
	if len(errs) == 0 && len(m.actions) == 0 {
		errs = append(errs, errors.New("fields: nothing goes to event.action; give it a value, such as {to: event.action, value: http_request}"))
	}
	m.timesFrom = strings.Join(m.namesOf(m.times), ", ")
	m.values, m.taken, m.done = make([]slot, len(m.slots)), make([]bool, len(m.slots)), make([]bool, len(m.targets))
	for _, e := range m.entries {
		for _, slot := range e.slots {
			m.taken[slot] = true
		}
	}
	return m, errors.Join(errs...)
}

// namesOf gives what entries take their values from, each once.
func (m *Mapping) namesOf(entries []int) (names []string) {
	for _, i := range entries {
		for _, name := range m.entries[i].From {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (m *Mapping) add(f Field) error {
	e := entry{Field: f}
	var errs []error
	bad := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	bad(e.target())
	bad(e.check())
	for _, name := range f.From {
		slot, err := m.need(name)
		bad(err)
		e.slots = append(e.slots, slot)
	}
	var err error
	if e.when, err = m.compileCondition(f.When); err != nil {
		bad(fmt.Errorf("when: %w", err))
	}
	bad(e.compileTable())
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	var known bool
	if e.goal, known = m.targets[e.To]; !known {
		e.goal = len(m.targets)
		m.targets[e.To] = e.goal
	}
	switch {
	case e.To == toTimestamp:
		m.times = append(m.times, len(m.entries))
	case e.field.ID == event.FieldEventAction:
		m.actions = append(m.actions, len(m.entries))
	}
	m.entries = append(m.entries, e)
	return nil
}

// need gives the place of a name, made if it is new.
func (m *Mapping) need(name string) (int, error) {
	if i, ok := m.slots[name]; ok {
		return i, nil
	}
	if m.names != nil && !slices.Contains(m.names, name) {
		if near := event.Nearest(name, m.names); near != "" {
			return 0, fmt.Errorf("%q is not in the pattern; did you mean %q?", name, near)
		}
		return 0, fmt.Errorf("%q is not in the pattern; there are %s", name, strings.Join(m.names, ", "))
	}
	i := len(m.slots)
	m.slots[name] = i
	return i, nil
}
