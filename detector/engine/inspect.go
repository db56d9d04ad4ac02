package engine

import (
	"time"

	"imwatch/detector/window"
)

// Inspection is how one key of a rule stands at an instant, for people who ask why.
type Inspection struct {
	Known bool // there is state for the key; without it Value and Since are those of a key never seen
	Value float64
	Holds bool
	// Since is the first instant whose events count, zero when none do. Next is when the truth may change without an
	// event, zero when it cannot.
	Since, Next time.Time
	Spell       *OpenSpell // nil: the condition does not hold and nothing is told
}

// OpenSpell is a spell that has begun and is not resolved.
type OpenSpell struct {
	Phase string // "pending": it holds, but not for long enough; "firing"; "ceased": told, no longer true, not resolved;
	// "muted": it holds, but was to fire outside the rule's calendar
	ID       string    // of the alert, "" while pending
	Start    time.Time // since when the condition held
	First    string    // the event that made it true, "" if none did
	Told     float64   // value last told
	Severity string
	// FiresAt is when a pending spell fires, ResolvedAt when a ceased one is resolved, if nothing changes.
	FiresAt, ResolvedAt time.Time
}

// Inspect looks at a key of the one rule at an instant up to which everything is evaluated: Finish must have been
// called with it. The engine must not take in events afterwards.
func (e *Engine) Inspect(key string, at time.Time) Inspection {
	k, r, now := e.key(key), e.only(), at.UnixNano()
	if k == nil {
		fresh := r.kind.New()
		return Inspection{Value: fresh.Advance(now).Value, Since: known(fresh.Since(now))}
	}
	l := k.condition.Advance(now)
	in := Inspection{Known: true, Value: l.Value, Holds: l.Holds, Since: known(k.condition.Since(now)), Next: known(k.condition.Next())}
	if sp := k.spell; sp != nil {
		in.Spell = &OpenSpell{
			Phase: [...]string{pending: "pending", firing: "firing", ceased: "ceased", muted: "muted"}[sp.phase], ID: sp.id, Start: instant(sp.start), First: sp.first,
			Told: sp.told, Severity: sp.severity,
		}
		switch sp.phase {
		case pending:
			in.Spell.FiresAt = known(r.firesAt(sp))
		case ceased:
			in.Spell.ResolvedAt = known(r.resolvedAt(sp))
		case firing, muted:
		}
	}
	return in
}

// known gives an instant, zero for those that never come.
func known(at int64) time.Time {
	if at == window.Never || at == window.None {
		return time.Time{}
	}
	return instant(at)
}

// Idle says whether nothing of a key of the one rule has begun: no alert is open and none is pending.
func (e *Engine) Idle(key string) bool {
	k := e.key(key)
	return k == nil || k.spell == nil
}
