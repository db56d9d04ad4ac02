package query

import (
	"imwatch/detector/window"
	"imwatch/event"
)

// history is what was told of each key by group_by, as far back as documents that arrive late can matter.
type history map[string][]*told

// told is one alert.
type told struct {
	key      string // with what the type adds to that of group_by
	id       string
	from, to int64 // to is window.Never while it is not resolved
	text     string
	first    string
	value    float64
	severity string
}

// take notes a state change that is told.
func (h history) take(unit, key string, a *event.Alert) {
	for _, t := range h[unit] {
		if t.id == a.ID {
			t.value, t.severity = a.Value, a.Severity
			if a.State == event.StateResolved {
				t.to = a.Time.UnixNano()
			}
			return
		}
	}
	t := &told{
		key: key, id: a.ID, from: a.From.UnixNano(), to: window.Never, text: a.FromText, first: a.FirstEvent, value: a.Value, severity: a.Severity,
	}
	if a.State == event.StateResolved {
		t.to = a.Time.UnixNano()
	}
	h[unit] = append(h[unit], t)
}

// overlapping gives what was told of a key that shares an instant with [from, to], nil if nothing does.
func (h history) overlapping(unit, key string, from, to int64) *told {
	for _, t := range h[unit] {
		if t.key == key && t.from <= to && from <= t.to {
			return t
		}
	}
	return nil
}

// quiet gives the last instant not after at when nothing that was told was open.
func (h history) quiet(unit string, at int64) int64 {
	for moved := true; moved; {
		moved = false
		for _, t := range h[unit] {
			if t.from <= at && at <= t.to {
				at, moved = t.from-1, true
			}
		}
	}
	return at
}

// prune forgets what ended before an instant.
func (h history) prune(before int64) {
	for unit, list := range h {
		kept := list[:0]
		for _, t := range list {
			if t.to >= before {
				kept = append(kept, t)
			}
		}
		if h[unit] = kept; len(kept) == 0 {
			delete(h, unit)
		}
	}
}
