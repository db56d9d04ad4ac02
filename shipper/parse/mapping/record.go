package mapping

import (
	"slices"
	"strings"

	"imwatch/event"
)

// Slot gives the place of a name, for Text; false where no entry takes it.
func (m *Mapping) Slot(name string) (int, bool) {
	i, ok := m.slots[name]
	return i, ok
}

// Reset forgets the values of the line before.
func (m *Mapping) Reset() {
	clear(m.values)
	clear(m.others)
	m.others = m.others[:0]
}

// Text gives the value at a place, without what pads it; "" and "-" are none.
func (m *Mapping) Text(slot int, v string) {
	m.values[slot] = m.values[slot].or(strings.TrimSpace(v), false)
}

// or gives a slot its value. What comes later under the same name counts, as in JSON.
func (s slot) or(v string, json bool) slot {
	if v == "" || v == "-" {
		return s
	}
	return slot{there: true, json: json, text: v}
}

// JSON gives a value of a JSON object by its dotted path. null, "" and [] are none. path is not kept.
func (m *Mapping) JSON(path []byte, raw string) {
	switch raw {
	case "null", `""`, "[]", `"-"`:
		return
	}
	if i, ok := m.slots[string(path)]; ok {
		m.values[i] = m.values[i].or(raw, true)
		if m.taken[i] {
			return
		}
	}
	if m.rest != Drop {
		m.others = append(m.others, other{string(path), raw})
	}
}

// value gives what stands at a place, as text.
func (m *Mapping) value(slot int) (string, bool) {
	s := &m.values[slot]
	if s.there && s.json {
		s.json = false
		if s.text[0] == '"' {
			v, _ := (event.Extra{Raw: s.text}).Value()
			s.text = v.Text
		}
	}
	return s.text, s.there && s.text != ""
}

// folded gives what stands at a place, without case. Many conditions look at the same value.
func (m *Mapping) folded(slot int) string {
	s := &m.values[slot]
	if s.folded == "" {
		s.folded = fold(s.text)
	}
	return s.folded
}

// maxRest is how many values that no entry takes are kept of one line.
const maxRest = 256

// maxLabels is how many different labels a source's values without an entry may make: each is a field of the index.
const maxLabels = 100

// label says whether values of this name may be a label.
func (m *Mapping) label(name string) bool {
	if m.labels[name] {
		return true
	}
	if len(m.labels) >= maxLabels {
		return false
	}
	m.labels[strings.Clone(name)] = true // not what it stands in
	return true
}

// keepRest puts what no entry has taken into the event: once a name, the last in the line.
func (m *Mapping) keepRest(e *event.Event) {
	if len(m.others) > 1 {
		slices.SortStableFunc(m.others, func(a, b other) int { return strings.Compare(a.name, b.name) })
	}
	kept := 0
	for i := range m.others {
		if i+1 < len(m.others) && m.others[i+1].name == m.others[i].name {
			continue
		}
		if kept++; kept > maxRest {
			return
		}
		name := Indexable(m.others[i].name)
		if m.rest == Keep || !m.label(name) {
			e.SetExtra(Foreign+"."+name, m.others[i].raw)
			continue
		}
		text := m.others[i].raw
		if v, ok := (event.Extra{Raw: text}).Value(); ok && v.List == nil {
			text = v.Text
		}
		e.SetLabel(strings.ReplaceAll(name, ".", "_"), text)
	}
}

// Indexable gives a dotted name that Elasticsearch takes: none of its steps is blank.
func Indexable(name string) string {
	blank := false
	for s := range strings.SplitSeq(name, ".") {
		blank = blank || strings.TrimSpace(s) == ""
	}
	if !blank {
		return name
	}
	steps := strings.Split(name, ".")
	for i, s := range steps {
		if strings.TrimSpace(s) == "" {
			steps[i] = "_"
		}
	}
	return strings.Join(steps, ".")
}
