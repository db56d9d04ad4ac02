package engine

import (
	"slices"

	"imwatch/detector/window"
	"imwatch/event"
)

// phase is where a key's alert stands.
type phase uint8

const (
	pending phase = iota // the condition holds, but not yet for long enough
	firing               // told, and it holds
	ceased               // told, it does not hold, and the time until it is resolved runs
	muted                // it holds, but was to fire outside the rule's calendar: it is not told until it holds anew
)

// open says whether the spell was told and is not resolved.
func (sp *spell) open() bool { return sp.phase == firing || sp.phase == ceased }

// spell is one alert from its begin until it is resolved.
type spell struct {
	phase    phase
	start    int64
	text     string // the letters of start where they are not the usual ones
	first    string // the event that made the condition true, "" if none did
	id       string
	ceased   int64
	told     float64 // value and severity last told
	severity string
	degraded bool // it rests, or has rested, on something supposed
}

// moment is an instant at which a key is looked at.
type moment struct {
	at   int64
	text string          // letters of the instant as they came, "" for the usual ones
	by   *window.Witness // the event that enters, nil if none does
}

// look takes what a look at a key's condition showed.
func (r *runner) look(k *keyState, m moment, l window.Look) {
	sp := k.spell
	if sp != nil && l.Holds && k.special {
		sp.degraded = sp.degraded || r.degraded(k, m.at)
	}
	switch {
	case sp == nil:
		if l.Holds {
			k.spell = &spell{phase: pending, start: m.at, text: m.text, first: m.by.ID(), degraded: r.degraded(k, m.at)}
			if r.rule.For == 0 {
				r.fire(k, m, l.Value)
				r.cease(k, m)
			}
		}
	case !sp.open():
		if !l.Holds {
			k.spell = nil
		}
	case l.Holds:
		sp.phase = firing
		r.update(k, m, l.Value)
		r.cease(k, m)
	case sp.phase == firing:
		sp.phase, sp.ceased = ceased, m.at
	}
}

// cease ends at once what holds at an instant only: it has last held when it was told.
func (r *runner) cease(k *keyState, m moment) {
	if r.kind.Instant {
		k.spell.phase, k.spell.ceased = ceased, m.at
	}
}

// deadlines does what is due at an instant after everything has left and entered.
func (r *runner) deadlines(k *keyState, m moment, value float64) {
	switch sp := k.spell; {
	case sp == nil:
	case sp.phase == pending && m.at >= r.firesAt(sp):
		r.fire(k, m, value)
	case sp.phase == ceased && m.at >= r.resolvedAt(sp):
		if r.kind.Instant {
			value = sp.told // nothing is compared at this instant
		}
		r.emit(k, sp, event.StateResolved, m, value)
		k.spell = nil
	}
}

func (r *runner) firesAt(sp *spell) int64 { return window.Add(sp.start, int64(r.rule.For)) }

func (r *runner) resolvedAt(sp *spell) int64 {
	return window.Add(sp.ceased, int64(r.rule.Resolve.After))
}

// due gives the next instant at which something happens to the key without an event.
func (r *runner) due(k *keyState) int64 {
	next := k.condition.Next()
	if sp := k.spell; sp != nil {
		switch sp.phase {
		case pending:
			next = min(next, r.firesAt(sp))
		case ceased:
			next = min(next, r.resolvedAt(sp))
		case firing:
			next = min(next, r.rises(k))
		case muted:
		}
	}
	return next
}

func (r *runner) fire(k *keyState, m moment, value float64) {
	sp := k.spell
	if r.gate != nil && r.rule.Detect.Absence != nil && !r.gate(m.at) {
		sp.phase = muted
		return
	}
	sp.phase = firing
	sp.id = alertID(r.rule.ID, r.space.texts.get(k.key), sp.start)
	sp.told, sp.severity = value, r.rule.SeverityAt(value)
	r.emit(k, sp, event.StateFiring, m, value)
}

// update tells a spell anew when its value has doubled or its severity has risen.
func (r *runner) update(k *keyState, m moment, value float64) {
	sp := k.spell
	severity := r.rule.SeverityAt(value)
	rises := rank(severity) > rank(sp.severity)
	if !rises && (value < 2*sp.told || value <= sp.told) {
		return
	}
	if rises {
		sp.severity = severity
	}
	sp.told = value
	r.emit(k, sp, event.StateUpdated, m, value)
}

func rank(severity string) int { return slices.Index(event.Severities(), severity) }
