package window

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// shown is a look at which a condition held.
type shown struct {
	at    int64
	id    int // place of the event that entered, -1 for none
	value float64
}

func (s shown) String() string { return fmt.Sprintf("at %d by %d: %v", s.at, s.id, s.value) }

// replay drives a condition as the engine does up to the instant end, included, and gives the looks at which it held.
// between is called before each step and gives the condition to go on with.
func replay(c Condition, obs []Observation, end int64, between func(Condition, int64) Condition) (held []shown) {
	settle := func(before int64) {
		for c.Next() < before {
			at := c.Next()
			if l := c.Advance(at); l.Holds {
				held = append(held, shown{at, -1, l.Value})
			}
		}
	}
	for i, o := range obs {
		c = between(c, o.At)
		settle(o.At)
		if l := c.Enter(o); l.Holds {
			held = append(held, shown{o.At, i, l.Value})
		}
	}
	settle(Add(end, 1))
	return held
}

func plainly(c Condition, _ int64) Condition { return c }

// checkCondition holds a condition to what the definition says, also when it is written and read back, looked at when
// nothing is due, or begun anew from the events of the last span only.
func checkCondition(t *rapid.T, k Kind, obs []Observation, end int64, want []shown) {
	if diff := cmp.Diff(lines(want), lines(replay(k.New(), obs, end, plainly))); diff != "" {
		t.Fatalf("the definition (-) and the condition (+) differ:\n%s", diff)
	}
	shaken := replay(k.New(), obs, end, func(c Condition, at int64) Condition {
		if rapid.Bool().Draw(t, "look") && c.Next() >= at {
			c.Advance(at - 1)
		}
		if rapid.Bool().Draw(t, "restart") {
			c = reread(t, k, c)
		}
		return c
	})
	if diff := cmp.Diff(lines(want), lines(shaken)); diff != "" {
		t.Fatalf("the definition (-) and a condition read back (+) differ:\n%s", diff)
	}
	if len(obs) == 0 {
		return
	}
	from := obs[rapid.IntRange(0, len(obs)-1).Draw(t, "from")].At
	first := slices.IndexFunc(obs, func(o Observation) bool { return o.At >= from-k.Span })
	late := k.New()
	entered := first
	for ; obs[entered].At < from; entered++ {
		late.Enter(obs[entered])
	}
	var rest []shown
	for _, s := range replay(late, obs[entered:], end, plainly) {
		if s.id >= 0 {
			s.id += entered
		}
		if s.at >= from {
			rest = append(rest, s)
		}
	}
	after := slices.DeleteFunc(slices.Clone(want), func(s shown) bool { return s.at < from })
	if diff := cmp.Diff(lines(after), lines(rest)); diff != "" {
		t.Fatalf("the definition (-) and a condition begun with the span before %d (+) differ:\n%s", from, diff)
	}
}

// reread writes a condition, reads it back, and checks that nothing that can be asked has changed.
func reread(t *rapid.T, k Kind, c Condition) Condition {
	var e Encoder
	c.Encode(&e)
	d, back := NewDecoder(e.Bytes()), k.New()
	back.Decode(d)
	if d.Err() != nil || d.Rest() > 0 {
		t.Fatalf("%+v is written as %x, which cannot be read: %v, %d bytes left", c, e.Bytes(), d.Err(), d.Rest())
	}
	if c.Next() != back.Next() || c.Expiry() != back.Expiry() {
		t.Fatalf("%+v is read back as %+v", c, back)
	}
	return back
}

func lines(held []shown) []string {
	out := make([]string, 0, len(held))
	for _, s := range held {
		out = append(out, s.String())
	}
	return out
}

// mustKind gives the kind of a rule that has one.
func mustKind(t interface{ Fatal(...any) }, k Kind, err error) Kind {
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Nothing that a file may hold makes a condition panic or take memory without end.
func FuzzDecodePatterns(f *testing.F) {
	f.Add([]byte{1, 0, 1, 1, 1, 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range patternKinds(t) {
			c, d := k.New(), NewDecoder(b)
			c.Decode(d)
			if d.Err() != nil {
				continue
			}
			at := int64(0)
			if x := c.Expiry(); x != None {
				at = x
			}
			c.Enter(Observation{At: at, Sight: Sight{Bits: 3, Extra: &Extra{Numbers: []float64{1, 2}}}})
			c.Advance(Add(at, 1))
			_, _ = c.Next(), c.Since(at)
		}
	})
}
