package mapping

import (
	"time"

	"imwatch/event"
	"imwatch/shipper/parse/date"
	"imwatch/shipper/parse/fault"
)

// Fill makes an event of the values of the line, all but what every line gets from where it stands. e must be empty.
// Its errors are *fault.Error.
func (m *Mapping) Fill(e *event.Event) error {
	clear(m.done)
	at, err := m.time()
	if err != nil {
		return err
	}
	action, err := m.action()
	if err != nil {
		return err
	}
	e.Begin(action, at)
	for i := range m.entries {
		x := &m.entries[i]
		if x.To == toTimestamp || x.To == toAction || m.done[x.goal] {
			continue
		}
		if err := m.apply(e, x); err != nil {
			return err
		}
	}
	m.keepRest(e)
	m.complete(e)
	return nil
}

// has says whether an entry gave the field a value.
func (m *Mapping) has(to string) bool {
	goal, ok := m.targets[to]
	return ok && m.done[goal]
}

func (m *Mapping) apply(e *event.Event, x *entry) error {
	v, from, ok := m.pick(x)
	if !ok {
		return nil
	}
	expected, ok := x.set(e, v)
	switch {
	case ok:
		m.done[x.goal] = true
	case x.Bad == Label:
		e.SetLabel(labelOf(x, from), v)
	case x.Bad == Skip:
	default:
		return fault.New("type", "%s: found %q, expected %s", x.To, short(v), expected)
	}
	return nil
}

// pick gives what the entry has for the line, and which of its names it is from.
func (m *Mapping) pick(x *entry) (v string, from int, ok bool) {
	if !m.holds(x.when) {
		return "", 0, false
	}
	for i, s := range x.slots {
		v, ok := m.value(s)
		if !ok {
			continue
		}
		if x.table == nil {
			return v, i, true
		}
		if to, ok := x.table[m.folded(s)]; ok {
			return to, i, to != ""
		}
		if to, ok := x.table["*"]; ok {
			return to, i, to != ""
		}
		return v, i, true
	}
	return x.Value, 0, x.Value != ""
}

// time reads the line's instant.
func (m *Mapping) time() (time.Time, error) {
	for _, i := range m.times {
		x := &m.entries[i]
		v, _, ok := m.pick(x)
		if !ok {
			continue
		}
		if x.Unit != "" {
			return date.In(v, x.Unit)
		}
		return m.dates.Parse(v)
	}
	return time.Time{}, fault.New("missing", "timestamp: the line has none of what it is taken from: %s", m.timesFrom)
}

// action finds what the line says has happened.
func (m *Mapping) action() (event.Action, error) {
	var unknown error
	for _, i := range m.actions {
		x := &m.entries[i]
		v, _, ok := m.pick(x)
		if !ok {
			continue
		}
		if a, ok := m.byCode[v]; ok {
			return a, nil
		}
		if x.Bad != Skip && unknown == nil {
			unknown = fault.New("action", "event.action: found %q, which is no action of the contract; map it to one", short(v))
		}
	}
	if unknown != nil {
		return event.Action{}, unknown
	}
	return event.Action{}, fault.New("action", "event.action: nothing in the line says what has happened")
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
