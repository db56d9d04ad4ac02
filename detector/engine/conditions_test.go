package engine_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// TestConditionsAlone holds the conditions of the types with sliding windows to the contract's words, without an
// engine: what every look shows, that no change of the truth is missed between two looks, and that nothing depends on
// a state being written and read back or on when the evaluator began.
func TestConditionsAlone(t *testing.T) {
	t.Parallel()
	for _, draw := range []func(*rapid.T) string{drawThreshold, drawRatio, drawMetric, drawCardinality, drawSpike} {
		rapid.Check(t, func(t *rapid.T) {
			r := parse(t, fmt.Sprintf("id: a\ntitle: a\nseverity: warn\nwhere: 'event.action: (connect or disconnect)'\ndetect: {%s}\n", draw(t)))[0]
			kind, err := window.NewKind(r)
			if err != nil {
				t.Fatal(err)
			}
			c := &alone{t: t, rule: r, kind: kind, naive: naiveKindOf(r, base.UnixNano()), condition: kind.New()}
			for _, e := range drawEvents(t, 1) {
				c.before(e.UnixNano())
				c.enter(e)
			}
			c.before(c.now + 200e9)
		})
	}
}

// alone is a condition driven as an engine would.
type alone struct {
	t         *rapid.T
	rule      *rule.Rule
	kind      window.Kind
	naive     naiveKind
	condition window.Condition
	events    []*event.Event
	now       int64
	last      window.Look
}

func (a *alone) enter(e *event.Event) {
	a.now = e.UnixNano()
	a.events = append(a.events, e)
	a.last = enter(a.condition, a.kind, e)
	a.check("enters", false)
	a.renew()
}

func enter(c window.Condition, k window.Kind, e *event.Event) window.Look {
	sight, _ := k.See(e)
	return c.Enter(window.Observation{At: e.UnixNano(), Weight: e.Weight(), Sight: sight})
}

// before goes on to an instant, in steps at which nothing is missed.
func (a *alone) before(end int64) {
	const step = int64(250 * time.Millisecond) // all that happens is a multiple of it
	if len(a.events) == 0 {
		return
	}
	for at := a.now + step; at < end; at += step {
		a.now = at
		if due := a.condition.Next(); due < at {
			a.t.Fatalf("next is %v, which is past at %v", due-base.UnixNano(), at-base.UnixNano())
		} else if due == at {
			a.last = a.condition.Advance(at)
			a.check("is due", true)
			a.renew()
			continue
		}
		// Nobody looks: so nothing must have changed that anybody would be told of.
		value, holds := a.naive.truth(a.rule, a.events, at, true)
		if holds != a.last.Holds || holds && value != a.last.Value {
			a.t.Fatalf("at %v the value is %v, holds: %t; the last look showed %+v and none is due before %v", at-base.UnixNano(), value, holds, a.last, a.condition.Next())
		}
	}
}

func (a *alone) check(what string, settled bool) {
	value, holds := a.naive.truth(a.rule, a.events, a.now, settled)
	if value != a.last.Value || holds != a.last.Holds {
		a.t.Fatalf("%s at %v: shows %+v, should be value %v, holds: %t", what, a.now-base.UnixNano(), a.last, value, holds)
	}
}

// renew puts another in the place of the condition, now and then: one read back, or one that began later.
func (a *alone) renew() {
	switch rapid.IntRange(0, 7).Draw(a.t, "renewed") {
	case 0:
		a.condition = a.copied(a.condition)
	case 1:
		late := a.kind.New()
		for _, e := range a.events {
			if e.UnixNano() > window.Add(a.now, -a.kind.Lookback) {
				enter(late, a.kind, e)
			}
		}
		if l := late.Advance(a.now); l != a.last {
			a.t.Fatalf("begun later it shows %+v, not %+v", l, a.last)
		}
		a.condition = late
	}
}

func (a *alone) copied(c window.Condition) window.Condition {
	var e, again window.Encoder
	c.Encode(&e)
	d := window.NewDecoder(e.Bytes())
	back := a.kind.New()
	if back.Decode(d); d.Err() != nil || d.Rest() > 0 {
		a.t.Fatalf("reading back: %v, %d bytes left", d.Err(), d.Rest())
	}
	if back.Encode(&again); string(again.Bytes()) != string(e.Bytes()) {
		a.t.Fatalf("written again it is\n%x not\n%x", again.Bytes(), e.Bytes())
	}
	return back
}
