package query

import (
	"slices"

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
	least    int64 // what was told is part of what holds from least to most, evaluated anew
	most     int64
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
		least: window.Never, most: window.None,
	}
	if a.State == event.StateResolved {
		t.to = a.Time.UnixNano()
	}
	h[unit] = append(h[unit], t)
}

// covers notes that a spell is the same incident.
func (t *told) covers(s *spell) {
	if s.to != window.Never { // else it is open, under one name or another
		t.most = max(t.most, s.to)
	}
	t.least = min(t.least, s.from)
}

// meeting gives what was told of a spell's key and shares an instant with it.
func (h history) meeting(unit string, s *spell) (met []*told) {
	for _, t := range h[unit] {
		if s.meets(t) {
			met = append(met, t)
		}
	}
	return met
}

// open gives what was told of a key and is not resolved, nil if nothing is.
func (h history) open(unit, key string) *told {
	for _, t := range h[unit] {
		if t.key == key && t.to == window.Never {
			return t
		}
	}
	return nil
}

func (h history) knows(unit, id string) bool {
	return slices.ContainsFunc(h[unit], func(t *told) bool { return t.id == id })
}

// quiet gives the last instant not after at when nothing that was told was open.
func (h history) quiet(unit string, at int64) int64 {
	for moved := true; moved; {
		moved = false
		for _, t := range h[unit] {
			if from := min(t.from, t.least); from <= at && at <= max(t.to, t.most) {
				at, moved = from-1, true
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
			if max(t.to, t.most) >= before {
				kept = append(kept, t)
			}
		}
		if h[unit] = kept; len(kept) == 0 {
			delete(h, unit)
		}
	}
}
