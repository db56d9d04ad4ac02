package event

import (
	"slices"
	"time"
)

// Event is one thing that happened in a connection's life, or one record of the pipeline: the values of the fields
// that it has. The zero Event is empty and ready. Not safe for concurrent use while it is changed.
type Event struct {
	at    [numFields]uint8 // place in vals + 1; 0: absent
	vals  []Value
	lists []Value // where the lists of decoded values lie
	extra []Extra
	nulls bool // a field that the contract does not have was null
}

// Extra is a field that the contract does not have (labels.* included), kept as it came.
type Extra struct {
	Name string // dotted
	Raw  string // JSON
}

// Reset empties the event and keeps its memory for the next use.
func (e *Event) Reset() {
	e.at = [numFields]uint8{}
	clear(e.vals)
	e.vals = e.vals[:0]
	clear(e.lists)
	e.lists = e.lists[:0]
	clear(e.extra)
	e.extra = e.extra[:0]
	e.nulls = false
}

// Clone gives an event that shares no mutable state with e.
func (e *Event) Clone() *Event {
	c := *e
	c.vals, c.lists = slices.Clone(e.vals), nil
	for i := range c.vals {
		c.vals[i].List = slices.Clone(c.vals[i].List)
	}
	c.extra = slices.Clone(e.extra)
	return &c
}

// Set gives the field a value in place of the one it had. The value must be of the field's type.
func (e *Event) Set(id FieldID, v Value) {
	if p := e.at[id]; p != 0 {
		e.vals[p-1] = v
		return
	}
	e.vals = append(e.vals, v)
	e.at[id] = uint8(len(e.vals))
}

// add is Set for a field that the event lacks: the empty value, to be filled in.
func (e *Event) add(id FieldID) *Value {
	n := len(e.vals)
	if n < cap(e.vals) {
		e.vals = e.vals[:n+1] // Reset has cleared it
	} else {
		e.vals = append(e.vals, Value{})
	}
	e.at[id] = uint8(n + 1)
	return &e.vals[n]
}

// drop takes back what was added last.
func (e *Event) drop(id FieldID) {
	n := len(e.vals) - 1
	e.vals[n] = Value{}
	e.vals = e.vals[:n]
	e.at[id] = 0
}

// SetText sets a keyword, text or ip field, unless s is empty.
func (e *Event) SetText(id FieldID, s string) {
	if s != "" {
		e.Set(id, Value{Type: table[id].Type, Text: s})
	}
}

// SetList sets a keyword field to several values, unless there are none.
func (e *Event) SetList(id FieldID, ss ...string) {
	switch len(ss) {
	case 0:
	case 1:
		e.SetText(id, ss[0])
	default:
		list := make([]Value, len(ss))
		for i, s := range ss {
			list[i] = KeywordValue(s)
		}
		v := list[0]
		v.List = list
		e.Set(id, v)
	}
}

// SetInt sets a long field.
func (e *Event) SetInt(id FieldID, n int64) { e.Set(id, LongValue(n)) }

// SetFloat sets a float field.
func (e *Event) SetFloat(id FieldID, f float64) { e.Set(id, FloatValue(f)) }

// SetBool sets a boolean field.
func (e *Event) SetBool(id FieldID, b bool) { e.Set(id, BoolValue(b)) }

// SetTime sets a date field.
func (e *Event) SetTime(id FieldID, t time.Time) { e.Set(id, DateValue(t)) }

// SetLabel sets labels.name to a keyword.
func (e *Event) SetLabel(name, value string) {
	full := LabelPrefix + name
	raw := string(appendString(nil, value))
	for i := range e.extra {
		if e.extra[i].Name == full {
			e.extra[i].Raw = raw
			return
		}
	}
	e.extra = append(e.extra, Extra{Name: full, Raw: raw})
}

// Get gives a field's value, and whether the event has it.
func (e *Event) Get(id FieldID) (Value, bool) {
	if p := e.at[id]; p != 0 {
		return e.vals[p-1], true
	}
	return Value{}, false
}

// At is Get without the copy: nil where the event lacks the field. The value is the event's, to be read only, until the
// event is changed.
func (e *Event) At(id FieldID) *Value {
	if p := e.at[id]; p != 0 {
		return &e.vals[p-1]
	}
	return nil
}

// Has says whether the event has the field.
func (e *Event) Has(id FieldID) bool { return e.at[id] != 0 }

// Text gives a field's (first) value as text, "" when it is absent.
func (e *Event) Text(id FieldID) string {
	if p := e.at[id]; p != 0 {
		return e.vals[p-1].Text
	}
	return ""
}

// Int gives a long field's value, 0 when it is absent.
func (e *Event) Int(id FieldID) int64 {
	if p := e.at[id]; p != 0 {
		return e.vals[p-1].Int()
	}
	return 0
}

// Lookup gives a value by name or alias, labels.* included; those and unknown fields are keywords.
func (e *Event) Lookup(name string) (Value, bool) {
	if f, ok := FieldByName(name); ok && f.ID != NoField {
		return e.Get(f.ID)
	}
	for i := range e.extra {
		if e.extra[i].Name == name {
			return extraValue(e.extra[i].Raw)
		}
	}
	return Value{}, false
}

// Extras gives the fields that the contract does not have. The slice belongs to the event.
func (e *Event) Extras() []Extra { return e.extra }

// Nulls says whether the line that the event was decoded from has fields that the contract does not have and that are
// null: they are not among Extras.
func (e *Event) Nulls() bool { return e.nulls }

// ID gives event.id.
func (e *Event) ID() string { return e.Text(FieldEventID) }

// Action gives event.action.
func (e *Event) Action() string { return e.Text(FieldEventAction) }

// Node gives service.node.name.
func (e *Event) Node() string { return e.Text(FieldServiceNode) }

// Time gives @timestamp, the zero time when it is absent.
func (e *Event) Time() time.Time {
	if p := e.at[FieldTimestamp]; p != 0 {
		return e.vals[p-1].Time()
	}
	return time.Time{}
}

// UnixNano gives @timestamp in nanoseconds, 0 when it is absent.
func (e *Event) UnixNano() int64 {
	if p := e.at[FieldTimestamp]; p != 0 {
		return e.vals[p-1].UnixNano()
	}
	return 0
}

// Weight says how many events the line stands for; 1 where nothing is said.
func (e *Event) Weight() float64 {
	if p := e.at[FieldSampleWeight]; p != 0 {
		return e.vals[p-1].Float()
	}
	return 1
}

// IsWatermark says whether this is a record of the pipeline itself, a shipper's watermark or a canary: never an event
// to rules, nor a document.
func (e *Event) IsWatermark() bool { return e.Text(FieldEventDataset) == DatasetPipeline }

// Key gives what the event is partitioned by: user.id, else client.ip, else im.connection.id, else event.id.
func (e *Event) Key() string {
	for _, id := range [...]FieldID{FieldUserID, FieldClientIP, FieldConnID, FieldEventID} {
		if s := e.Text(id); s != "" {
			return s
		}
	}
	return ""
}

// Unset takes a field away.
func (e *Event) Unset(id FieldID) { e.at[id] = 0 }

// SetExtra keeps a field that the contract does not have, in place of the one of that name. raw is JSON; "" takes it
// away.
func (e *Event) SetExtra(name, raw string) {
	i := slices.IndexFunc(e.extra, func(x Extra) bool { return x.Name == name })
	switch {
	case raw == "" && i >= 0:
		e.extra = slices.Delete(e.extra, i, i+1)
	case raw == "":
	case i >= 0:
		e.extra[i].Raw = raw
	default:
		e.extra = append(e.extra, Extra{Name: name, Raw: raw})
	}
}
