package window

import (
	"fmt"
	"math"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
)

// naiveDistinct says what a cardinality with this bound must show of values seen at instants: all are looked at anew.
func naiveDistinct(seen []sighting, t, length int64, exact int) float64 {
	distinct := map[uint64]bool{}
	for _, s := range seen {
		if s.at <= t-length || s.at > t {
			continue
		}
		distinct[s.hash] = true
	}
	if len(distinct) <= exact {
		return float64(len(distinct))
	}
	highest := map[uint64]int{}
	for h := range distinct {
		n := h >> (64 - precision)
		highest[n] = max(highest[n], bits.LeadingZeros64(h<<precision|1<<(precision-1))+1)
	}
	counts := [ranks + 1]int32{0: int32(registers - len(highest))}
	for _, h := range highest {
		counts[h]++
	}
	return max(float64(exact+1), math.Round(estimate(&counts)))
}

// TestEstimateDependsOnTheWindow goes over the bound and back again, reads states back and begins later.
func TestEstimateDependsOnTheWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const length = 50
		exact := rapid.SampledFrom([]int{3, 20, 60}).Draw(t, "exact") // on both sides of fewValues
		limit := rapid.IntRange(1, 80).Draw(t, "limit")
		is := rule.Comparison{Op: rapid.SampledFrom([]rule.Op{rule.Greater, rule.Equal}).Draw(t, "op"), Limit: float64(limit)}
		fresh := func() *cardinality {
			return &cardinality{spec: &cardinalitySpec{length: length, is: is, exact: exact, everyLeave: is.Op == rule.Equal}}
		}
		c := fresh()
		var seen []sighting
		var last Look
		now := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			before := now
			now += rapid.SampledFrom([]int64{0, 0, 1, 1, 2, 5, 40}).Draw(t, "step")
			for at := before + 1; at < now; at++ {
				if c.Next() == at {
					last = c.Advance(at)
				}
				if v := naiveDistinct(seen, at, length, exact); is.Holds(v) != last.Holds || last.Holds && last.Value != v {
					t.Fatalf("at %d there are %v; the last look showed %+v", at, v, last)
				}
			}
			var hashes []uint64
			for range rapid.IntRange(0, 4).Draw(t, "values") {
				h := hashValue(fmt.Sprint(rapid.IntRange(0, 90).Draw(t, "value")))
				hashes = append(hashes, h)
				seen = append(seen, sighting{now, h})
			}
			last = c.Enter(Observation{At: now, Weight: 1, Sight: Sight{Extra: &Extra{Hashes: hashes}}})
			if v := naiveDistinct(seen, now, length, exact); last.Value != v || last.Holds != is.Holds(v) {
				t.Fatalf("at %d it shows %+v, there are %v", now, last, v)
			}
			if rapid.IntRange(0, 5).Draw(t, "begin later") > 0 {
				continue
			}
			later := fresh()
			for _, s := range seen {
				if s.at > now-length {
					later.Enter(Observation{At: s.at, Sight: Sight{Extra: &Extra{Hashes: []uint64{s.hash}}}})
				}
			}
			if later.Advance(now); string(encoded(later)) != string(encoded(c)) {
				t.Fatalf("begun later the state is\n%x not\n%x", encoded(later), encoded(c))
			}
			if rapid.Bool().Draw(t, "read back") {
				back := fresh()
				d := NewDecoder(encoded(c))
				if back.Decode(d); d.Err() != nil || d.Rest() > 0 {
					t.Fatalf("reading back: %v, %d bytes left", d.Err(), d.Rest())
				}
				c = back
			}
		}
	})
}

func encoded(c Condition) []byte {
	var e Encoder
	c.Encode(&e)
	return e.Bytes()
}

// TestErrorOfTheEstimate counts real texts. The bounds are four standard errors: hashes are fixed, so it passes always
// or never.
func TestErrorOfTheEstimate(t *testing.T) {
	t.Parallel()
	c := CardinalityOf(math.MaxInt64/2, rule.Comparison{Op: rule.Greater, Limit: 1}, ExactValues)
	at := int64(0)
	for _, n := range []int64{5_000, 10_000, 10_001, 12_000, 20_000, 50_000, 100_000, 300_000} {
		var l Look
		for ; at < n; at++ {
			l = c.Enter(Observation{At: at, Sight: Sight{Extra: &Extra{Hashes: []uint64{hashValue(fmt.Sprintf("user-%d", at))}}}})
		}
		off := l.Value/float64(n) - 1
		t.Logf("%d distinct: %v, off by %+.2f %%, %d KB", n, l.Value, 100*off, c.Size()>>10)
		if n <= ExactValues && off != 0 || math.Abs(off) > 4*0.0081 {
			t.Errorf("%d distinct values are shown as %v", n, l.Value)
		}
	}
	// Memory has a bound whatever comes: lists of possible maxima grow like a logarithm.
	if c.Size() > 4<<20 {
		t.Errorf("it takes %d bytes", c.Size())
	}
	c.Advance(at + math.MaxInt64/4)
}
