package window_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/detector/window"
)

// kindOf gives what the one rule of a document is made of; detect is the rest of it.
func kindOf(t interface{ Fatalf(string, ...any) }, detect string) (window.Kind, *rule.Rule) {
	rules, findings := rule.Parse("test.yaml", []byte("id: r\ntitle: a rule\nseverity: warn\n"+detect))
	if len(rules) != 1 {
		t.Fatalf("the rule is bad: %v\n%s", findings, detect)
	}
	k, err := window.NewKind(rules[0])
	if err != nil {
		t.Fatalf("%v", err)
	}
	return k, rules[0]
}

// reread writes a condition and reads it back.
func reread(t interface{ Fatalf(string, ...any) }, k window.Kind, c window.Condition) window.Condition {
	var e window.Encoder
	c.Encode(&e)
	d, fresh := window.NewDecoder(e.Bytes()), k.New()
	fresh.Decode(d)
	if d.Err() != nil || d.Rest() > 0 {
		t.Fatalf("reading what was written: %v, %d bytes left", d.Err(), d.Rest())
	}
	return fresh
}

// The condition against the words: silent is who is expected and had no event for a window.
func TestAbsenceOfAKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		length, learn := rapid.Int64Range(1, 10).Draw(t, "window"), int64(0)
		detect := fmt.Sprintf("detect: {absence: {window: %ds}}", length)
		if rapid.Bool().Draw(t, "learns") {
			learn = length + rapid.Int64Range(1, 20).Draw(t, "learn")
			detect = fmt.Sprintf("group_by: [user.id]\ndetect: {absence: {window: %ds, expect: {learn: %ds}}}", length, learn)
		}
		k, _ := kindOf(t, detect)
		c := k.New()
		last := window.None
		if learn == 0 && rapid.Bool().Draw(t, "expected") {
			last = rapid.Int64Range(0, 10).Draw(t, "from") * 1e9
			c.(window.Expecter).Expect(last)
		}
		expected := last != window.None
		at := max(last, 0)
		for range 30 {
			due := c.Next()
			if expected {
				for _, after := range []int64{length, learn} {
					if next := last + after*1e9; after > 0 && next > at && due > next {
						t.Fatalf("at %d the next look is at %d, but something changes at %d", at, due, next)
					}
				}
			}
			step := time.Duration(rapid.Int64Range(0, 30).Draw(t, "step")) * 500 * time.Millisecond
			if at += int64(step); rapid.Bool().Draw(t, "enters") {
				last, expected = at, expected || learn > 0
				if l := c.Enter(window.Observation{At: at, Weight: 1}); l.Holds || l.Value != 0 {
					t.Fatalf("with an event at %d: %+v", at, l)
				}
			}
			c = reread(t, k, c)
			l := c.Advance(at)
			silent := expected && at-last >= length*1e9 && (learn == 0 || at-last < learn*1e9)
			expected = expected && (learn == 0 || at-last < learn*1e9)
			if l.Holds != silent || silent && l.Value != time.Duration(at-last).Seconds() {
				t.Fatalf("at %d after the last event at %d: %+v, expected %v", at, last, l, silent)
			}
		}
	})
}

func TestWhenASilenceReachesAValue(t *testing.T) {
	t.Parallel()
	k, _ := kindOf(t, "detect: {absence: {window: 10s}}")
	rapid.Check(t, func(t *rapid.T) {
		c := k.New()
		x := c.(window.Expecter)
		from := rapid.Int64Range(0, 1e18).Draw(t, "from")
		x.Expect(from)
		value := rapid.Float64Range(-1, 1e7).Draw(t, "value")
		above := rapid.Bool().Draw(t, "above")
		reached := func(at int64) bool {
			v := c.Advance(at).Value
			return v > value || !above && v == value
		}
		at := x.Reaches(value, above)
		if !reached(at) || at > from && reached(at-1) {
			t.Fatalf("%v is said to be reached %d ns after the beginning", value, at-from)
		}
	})
}
