package mapping

import (
	"errors"
	"fmt"
	"maps"
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
	dates   *date.Parser
	names   []string // nil: any
	rest    string
	slots   map[string]int
	entries []entry
	actions []int // those entries that may give the action
	times   []int
	ignore  [][]test

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
	m.values, m.taken, m.done = make([]slot, len(m.slots)), make([]bool, len(m.slots)), make([]bool, len(m.targets))
	for _, e := range m.entries {
		for _, slot := range e.slots {
			m.taken[slot] = true
		}
	}
	return m, errors.Join(errs...)
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

// target looks up where the entry goes.
func (e *entry) target() error {
	switch e.To {
	case "@timestamp":
		e.To = toTimestamp
		return nil
	case toTimestamp, toRequest:
		return nil
	case "":
		return errors.New("to: a field is needed")
	}
	f, ok := event.FieldByName(e.To)
	switch {
	case !ok:
		if near := event.NearestField(e.To); near != "" {
			return fmt.Errorf("to: %q is no field of the contract; did you mean %q?", e.To, near)
		}
		return fmt.Errorf("to: %q is no field of the contract, nor %sNAME, %s or %s", e.To, event.LabelPrefix, toTimestamp, toRequest)
	case f.ID == event.FieldLogFilePath || f.ID == event.FieldLogOffset || f.Group == event.Pipeline || f.Group == event.AlertGroup:
		return fmt.Errorf("to: %s is the pipeline's own", f.Name)
	}
	e.field, e.To = f, f.Name
	return nil
}

// check looks at what does not depend on others.
func (e *entry) check() error {
	var errs []error
	if len(e.From) == 0 && e.Value == "" {
		errs = append(errs, fmt.Errorf("%s: from or value is needed", e.To))
	}
	if !slices.Contains([]string{"", Refuse, Label, Skip}, e.Bad) {
		errs = append(errs, fmt.Errorf("bad: found %q, allowed are %s, %s and %s", e.Bad, Refuse, Label, Skip))
	}
	units := []string{"", "ns", "us", "ms", "s", "m", "h", unitGo}
	switch {
	case !slices.Contains(units, e.Unit):
		errs = append(errs, fmt.Errorf("unit: found %q, allowed are %s", e.Unit, strings.Join(units[1:], ", ")))
	case e.Unit == "" || e.isDuration():
	case e.To != toTimestamp:
		errs = append(errs, fmt.Errorf("unit: %s is no duration", e.To))
	case !slices.Contains([]string{"ns", "us", "ms", "s"}, e.Unit):
		errs = append(errs, fmt.Errorf("unit: found %q, allowed for instants are ns, us, ms and s", e.Unit))
	}
	return errors.Join(append(errs, e.checkConstant(e.Value), e.checkTable())...)
}

func (e *entry) checkTable() error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(e.Map)) {
		if err := e.checkConstant(e.Map[key]); err != nil {
			errs = append(errs, fmt.Errorf("map.%s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// checkConstant says whether a value that stands in the configuration fits the field.
func (e *entry) checkConstant(v string) error {
	if v == "" || e.To == toTimestamp || e.To == toRequest || e.To == "" {
		return nil
	}
	var scratch event.Event
	if expected, ok := e.set(&scratch, v); !ok {
		return fmt.Errorf("found %q, expected %s", v, expected)
	}
	return nil
}

func (e *entry) compileTable() error {
	if e.Map == nil {
		return nil
	}
	e.table = make(map[string]string, len(e.Map))
	for k, v := range e.Map {
		if _, twice := e.table[fold(k)]; twice {
			return fmt.Errorf("map: %q is given twice, case apart", k)
		}
		e.table[fold(k)] = v
	}
	return nil
}
