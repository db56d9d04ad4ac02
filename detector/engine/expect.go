package engine

import (
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// The keys that an absence rule names are expected whether or not they ever have an event: they have state from the
// beginning of the stream on, and no other key has.

// Begin says that the stream begins at an instant, for those who see some of its events only: a store's answers, or
// one share of several. Without it the stream begins with its least event that comes in time. It has no effect once
// evaluation has passed the beginning.
func (e *Engine) Begin(at int64) {
	for _, l := range e.lanes {
		if !l.begun() {
			l.start = at
		}
	}
}

// Start gives the instant at which the stream begins as far as it is known, window.Never before the first event.
func (e *Engine) Start() int64 {
	start := window.Never
	for _, l := range e.lanes {
		start = min(start, l.start)
	}
	return start
}

// begun says whether evaluation has passed the beginning of the stream, which is settled since then.
func (l *lane) begun() bool { return l.start < l.clock }

// sees takes an event in time as one of the stream.
func (l *lane) sees(at int64) {
	if at < l.start && !l.begun() {
		l.start = at
	}
}

// begin has the expected keys of all rules begin with the stream, when evaluation is about to pass that.
func (l *lane) begin(bound int64) {
	if l.begun() || l.start >= bound {
		return
	}
	for _, r := range l.runners {
		r.expect(l.start)
	}
}

// catchUp has expected keys that are new begin now: rules that came, and lists that changed.
func (l *lane) catchUp() {
	if !l.begun() {
		return // begin sees to it
	}
	for _, r := range l.runners {
		r.expect(l.clock)
	}
}

// like makes a lane with other spans that begins now, where this one is.
func (l *lane) like(lateness, idle int64) *lane {
	other := newLane(lateness, idle, l.mark.Like(lateness, idle))
	if other.start = l.start; l.begun() {
		other.start = max(l.start, other.mark.Now())
	}
	return other
}

// names says whether the rule names the keys that it expects; no others have state then.
func (r *runner) names() bool {
	a := r.rule.Detect.Absence
	return a != nil && a.Expect.Learn == 0
}

// expect brings the states in line with the keys that the rule names: new ones are expected from an instant on, those
// no longer named are dismissed.
func (r *runner) expect(from int64) {
	if !r.names() {
		return
	}
	named := map[string]bool{}
	for _, values := range r.rule.Detect.Absence.Expect.Keys {
		key := keyOf(values)
		if !r.owns(key) {
			continue
		}
		named[key] = true
		k := r.known(key)
		if k == nil {
			k = r.add(key)
		}
		if x, ok := k.condition.(window.Expecter); ok && !x.Expected() {
			x.Expect(from)
		}
		r.schedule(k)
	}
	for _, k := range r.states {
		if k != nil && !named[r.space.texts.get(k.key)] {
			r.dismiss(k)
		}
	}
}

// keyOf gives the key of the values as a rule names them.
func keyOf(values []string) string {
	parts := make([]Part, len(values))
	for i, v := range values {
		parts[i] = Part{Text: v, Missing: v == rule.Missing}
	}
	return MakeKey(parts)
}

// dismiss drops a key's state at the lane's clock, and resolves what was told of it.
func (r *runner) dismiss(k *keyState) {
	if k.spell != nil && k.spell.open() {
		at := max(r.lane.clock, k.spell.start)
		value := k.condition.Advance(at).Value
		if r.kind.Instant {
			value = k.spell.told // nothing is compared at this instant
		}
		r.emit(k, k.spell, event.StateResolved, moment{at: at}, value)
	}
	r.drop(k)
}

// rises gives the next instant at which the value of a condition that nothing enters reaches a higher severity.
func (r *runner) rises(k *keyState) int64 {
	x, grows := k.condition.(window.Expecter)
	next := window.Never
	if !grows {
		return next
	}
	for _, s := range r.rule.SeverityWhen {
		above := s.Is.Op == rule.Greater
		if rank(s.Severity) > rank(k.spell.severity) && (above || s.Is.Op == rule.GreaterEqual) {
			next = min(next, max(x.Reaches(s.Is.Limit, above), r.lane.clock)) // in the past where the rule has changed
		}
	}
	return next
}
