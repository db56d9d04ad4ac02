package engine

import (
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// The functions here are for evaluators that look at some keys only. They are for engines of one rule.

// MakeKey gives the key of these values, in the order of the rule's group_by.
func MakeKey(parts []Part) string {
	var b []byte
	for _, p := range parts {
		b = appendPart(b, p.Text, p.Missing)
	}
	return string(b)
}

// SplitKey gives the values of a key made of n of them; ok is false for anything else.
func SplitKey(key string, n int) (parts []Part, ok bool) { return splitKey(key, n) }

// Spell is what was told of a key and is not resolved yet.
type Spell struct {
	ID       string
	Start    int64
	Text     string // letters of the start where they are not the usual ones
	First    string
	Told     float64 // value last told
	Severity string
}

// only gives the one rule.
func (e *Engine) only() *runner { return e.lanes[0].runners[0] }

func (e *Engine) key(key string) *keyState {
	r := e.only()
	n, ok := r.space.find(key)
	if !ok || int(n) >= len(r.states) {
		return nil
	}
	return r.states[n]
}

// Has says whether there is state for a key.
func (e *Engine) Has(key string) bool { return e.key(key) != nil }

// States gives the keys with state, in no particular order.
func (e *Engine) States() []string {
	r := e.only()
	keys := make([]string, 0, r.live)
	for _, k := range r.states {
		if k != nil {
			keys = append(keys, r.space.keys[k.key])
		}
	}
	return keys
}

// Preload lets an event enter without a look, for keys whose condition is known not to have held then: so the window
// is filled before evaluation begins. Events must come in order. keep is as for Take.
func (e *Engine) Preload(ev *event.Event, keep func(key string) bool) {
	r := e.only()
	e.epoch++
	t, wanted := r.takes(ev, keep)
	if !wanted {
		return
	}
	at := ev.UnixNano()
	it := &item{at: at, id: ev.ID(), weight: ev.Weight()}
	for _, key := range append([]string{t.key}, t.more...) {
		k := r.state(key, t.sight.Passive)
		if k == nil {
			continue
		}
		k.condition.Enter(window.Observation{At: at, Weight: it.weight, Sight: t.sight})
		r.witness(k, it, &t)
		r.schedule(k)
		r.watch(k, at)
	}
}

// Adopt puts the state that another engine of the same rule has for a key in the place of this one's. A spell that
// both know under different names keeps the one given, if any: it was told already.
func (e *Engine) Adopt(from *Engine, key string, told *Spell) {
	r := e.only()
	if old := e.key(key); old != nil {
		r.drop(old)
	}
	state := from.key(key)
	if state == nil {
		return
	}
	k := r.add(key)
	k.condition, k.evidence, k.spell = state.condition, state.evidence, state.spell
	if sp := k.spell; sp != nil && told != nil && sp.phase != pending {
		sp.id, sp.start, sp.text, sp.first = told.ID, told.Start, told.Text, told.First
		sp.told, sp.severity = told.Told, told.Severity
	}
	r.schedule(k)
	k.aged = true
	r.age(k, e.lanes[0].clock)
}

// Open gives what was told of a key and is not resolved, nil if nothing is.
func (e *Engine) Open(key string) *Spell {
	k := e.key(key)
	if k == nil || k.spell == nil || k.spell.phase == pending {
		return nil
	}
	sp := k.spell
	return &Spell{ID: sp.id, Start: sp.start, Text: sp.text, First: sp.first, Told: sp.told, Severity: sp.severity}
}

// KeysOf gives the keys of an event under a rule, whether or not the rule matches it.
func KeysOf(r *rule.Rule, ev *event.Event) []string {
	first, more, _ := newKeyspace(r.GroupBy).of(ev, 1)
	return append([]string{first}, more...)
}
