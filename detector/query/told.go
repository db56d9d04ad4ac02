package query

import (
	"imwatch/detector/window"
	"imwatch/event"
)

// history is what was told of each key, as far back as documents that arrive late can matter.
type history map[string][]*told

// told is one alert.
type told struct {
	id       string
	from, to int64 // to is window.Never while it is not resolved
	text     string
	first    string
	value    float64
	severity string
}

// take notes a state change that is told.
func (h history) take(key string, a *event.Alert) {
	for _, t := range h[key] {
		if t.id == a.ID {
			t.value, t.severity = a.Value, a.Severity
			if a.State == event.StateResolved {
				t.to = a.Time.UnixNano()
			}
			return
		}
	}
	t := &told{
		id: a.ID, from: a.From.UnixNano(), to: window.Never, text: a.FromText, first: a.FirstEvent, value: a.Value, severity: a.Severity,
	}
	if a.State == event.StateResolved {
		t.to = a.Time.UnixNano()
	}
	h[key] = append(h[key], t)
}

// overlapping gives what was told of a key that shares an instant with [from, to], nil if nothing does.
func (h history) overlapping(key string, from, to int64) *told {
	for _, t := range h[key] {
		if t.from <= to && from <= t.to {
			return t
		}
	}
	return nil
}

// prune forgets what ended before an instant.
func (h history) prune(before int64) {
	for key, list := range h {
		kept := list[:0]
		for _, t := range list {
			if t.to >= before {
				kept = append(kept, t)
			}
		}
		if h[key] = kept; len(kept) == 0 {
			delete(h, key)
		}
	}
}
