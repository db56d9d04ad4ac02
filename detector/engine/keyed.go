package engine

import (
	"imwatch/detector/rule"
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

// States gives the keys with state, in no particular order.
func (e *Engine) States() []string {
	r := e.only()
	keys := make([]string, 0, r.live)
	for _, k := range r.states {
		if k != nil {
			keys = append(keys, r.space.texts.get(k.key))
		}
	}
	return keys
}

// Preload lets an event enter without a look, for keys whose condition is known not to have held then: so the window
// is filled before evaluation begins. Events must come in order. keep is as for Take.
func (e *Engine) Preload(ev *event.Event, keep func(key string) bool) {
	r := e.only()
	e.epoch++
	sight, wanted := r.sees(ev)
	if !wanted {
		return
	}
	at := ev.UnixNano()
	it := &item{event: e.witness(ev, at), weight: ev.Weight()}
	if it.add(r, ev, sight, keep); len(it.takes) == 0 {
		return
	}
	t, keys := &it.takes[0], &it.keys[0]
	for _, key := range append([]string{keys.first}, keys.more...) {
		k, _ := r.observe(it, t, key)
		if k == nil {
			continue
		}
		r.schedule(k)
		r.watch(k, at)
	}
}

// Settle lets leave, without a look, what leaves at or before an instant, from keys of which nothing is open: it ends
// a series of Preload.
func (e *Engine) Settle(at int64) {
	r := e.only()
	for _, k := range r.states {
		if k != nil && k.spell == nil {
			k.condition.Advance(at)
			r.schedule(k)
		}
	}
}

// Trim drops the state of all keys of which nothing is open.
func (e *Engine) Trim() {
	r := e.only()
	for _, k := range r.states {
		if k != nil && k.spell == nil {
			r.drop(k)
		}
	}
}

// Quiet takes back what is open, but for what began to be pending after an instant and the keys that keep names: it is
// for an evaluation that began with windows not yet full, at an instant when nothing else that was told is open.
func (e *Engine) Quiet(pendingAfter int64, keep func(key string) bool) {
	r := e.only()
	for _, k := range r.states {
		if k != nil && k.spell != nil && (k.spell.open() || k.spell.start <= pendingAfter) && !keep(r.space.texts.get(k.key)) {
			k.spell = nil
			r.schedule(k)
		}
	}
}

// Open says whether something was told of a key and is not resolved.
func (e *Engine) Open(key string) bool {
	k := e.key(key)
	return k != nil && k.spell != nil && k.spell.open()
}

// Adopt puts the state that another engine of the same rule has for a key of group_by in the place of this one's. What
// is open of a key goes on as the spell that told gives, if any: it was told under that name.
func (e *Engine) Adopt(from *Engine, unit string, told func(key string) *Spell) {
	r, other := e.only(), from.only()
	for _, k := range r.states {
		if k != nil && r.unit(r.space.texts.get(k.key)) == unit {
			r.drop(k)
		}
	}
	for _, state := range other.states {
		if state == nil || r.unit(other.space.texts.get(state.key)) != unit {
			continue
		}
		k := r.add(other.space.texts.get(state.key))
		k.condition, k.evidence, k.spell = state.condition, state.evidence, state.spell
		if sp := k.spell; sp != nil && sp.open() {
			sp.rename(told(r.space.texts.get(k.key)))
		}
		r.schedule(k)
		k.aged = true
		r.age(k, e.lanes[0].clock)
	}
}

// rename gives a spell the name under which it was told, nil if it was not.
func (sp *spell) rename(t *Spell) {
	if t != nil {
		sp.id, sp.start, sp.text, sp.first, sp.told, sp.severity = t.ID, t.Start, t.Text, t.First, t.Told, t.Severity
	}
}

// unit gives the part of a key that group_by makes.
func (r *runner) unit(key string) string { return key[:r.grouped(key)] }

// Unfounded makes the resolved line of what was told of a key and proved to be nothing, at an instant.
func (e *Engine) Unfounded(key string, told Spell, at int64) *event.Alert {
	r := e.only()
	sp := &spell{start: told.Start, text: told.Text, first: told.First, id: told.ID, told: told.Told, severity: told.Severity}
	a := r.newAlert(key, sp, event.StateResolved, moment{at: max(at, sp.start)}, sp.told)
	r.render(a)
	return a
}

// Reopened makes the firing line of what was told to be resolved and is open still, of the last line that an evaluation
// has given of it: under another id, with another start.
func (e *Engine) Reopened(last *event.Alert, id string, start int64) *event.Alert {
	a := *last
	a.ID, a.State, a.FirstEvent = id, event.StateFiring, ""
	a.Time, a.From, a.TimeText, a.FromText = instant(start), instant(start), "", ""
	e.only().render(&a)
	return &a
}

// KeysOf gives the keys of an event under a rule, whether or not the rule matches it.
func KeysOf(r *rule.Rule, ev *event.Event) []string {
	first, more, _ := newKeyspace(r.GroupBy).of(ev, 1)
	return append([]string{first}, more...)
}
