package query

import (
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/window"
	"imwatch/event"
)

// spell is one alert of a key that was evaluated anew, told before or not.
type spell struct {
	key, id  string
	from, to int64 // to is window.Never while it is not resolved
	lines    []*event.Alert
}

// spells gives the alerts of a key evaluated anew, those of one key in order.
func (e *Evaluator) spells(a *anew) []*spell {
	var all []*spell
	byID := map[string]*spell{}
	for _, al := range a.alerts {
		s := byID[al.ID]
		if s == nil {
			s = &spell{key: e.keyOf(al), id: al.ID, from: al.From.UnixNano(), to: window.Never}
			byID[al.ID] = s
			all = append(all, s)
		}
		if al.State == event.StateResolved {
			s.to = al.Time.UnixNano()
		}
		s.lines = append(s.lines, al)
	}
	return all
}

// adopt takes over the state of a key evaluated anew and gives the state changes that nobody was told of. An alert that
// shares an instant with one that was told is the same incident, and is not told again. What is open goes on under the
// name that was told; where only something resolved was told, it is told anew, for nothing comes after resolved.
func (e *Evaluator) adopt(a *anew) []*event.Alert {
	var alerts []*event.Alert
	last := map[string]*spell{}
	spells := e.spells(a)
	for _, s := range spells {
		last[s.key] = s
	}
	for _, s := range spells {
		met := e.told.meeting(a.unit, s)
		open := e.told.open(a.unit, s.key)
		for _, t := range met {
			t.covers(s)
		}
		switch {
		case len(met) == 0:
			alerts = append(alerts, s.lines...)
		case open != nil && s == last[s.key] && slices.Contains(met, open):
			if s.to != window.Never {
				alerts = append(alerts, open.resolved(s.lines[len(s.lines)-1]))
			}
		case s.to == window.Never:
			alerts = append(alerts, e.reopened(a.unit, s, met)...)
		}
	}
	alerts = append(alerts, e.unfounded(a, last)...)
	for _, al := range alerts {
		e.told.take(a.unit, e.keyOf(al), al)
	}
	e.engine.Adopt(a.engine, a.unit, func(key string) *engine.Spell {
		t := e.told.open(a.unit, key)
		if t == nil {
			return nil
		}
		return t.spell()
	})
	return alerts
}

// resolved gives the resolved line of what was told, of that of the same incident.
func (t *told) resolved(a *event.Alert) *event.Alert {
	a.ID, a.From, a.FromText, a.FirstEvent = t.id, time.Unix(0, t.from).UTC(), t.text, t.first
	return a
}

// reopened tells of a spell that is open, when what was told of it is resolved. When its own name was told, it begins
// anew when that one was resolved.
func (e *Evaluator) reopened(unit string, s *spell, met []*told) []*event.Alert {
	if !e.told.knows(unit, s.id) {
		return s.lines
	}
	start := window.None
	for _, t := range met {
		start = max(start, t.to)
	}
	id := event.AlertID(e.rule.ID, s.key, start)
	for ; e.told.knows(unit, id); id = event.AlertID(e.rule.ID, s.key, start) {
		start++
	}
	return []*event.Alert{e.engine.Reopened(s.lines[len(s.lines)-1], id, start)}
}

// unfounded resolves what is open of a key and is nothing when it is evaluated anew.
func (e *Evaluator) unfounded(a *anew, last map[string]*spell) []*event.Alert {
	var alerts []*event.Alert
	for _, t := range e.told[a.unit] {
		if t.to != window.Never || a.engine.Open(t.key) || last[t.key] != nil && last[t.key].meets(t) {
			continue
		}
		alerts = append(alerts, e.engine.Unfounded(t.key, *t.spell(), e.done))
	}
	return alerts
}

func (t *told) spell() *engine.Spell {
	return &engine.Spell{ID: t.id, Start: t.from, Text: t.text, First: t.first, Told: t.value, Severity: t.severity}
}

// meets says whether a spell and what was told share an instant.
func (s *spell) meets(t *told) bool { return s.key == t.key && s.from <= t.to && t.from <= s.to }
