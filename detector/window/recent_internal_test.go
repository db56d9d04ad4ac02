package window

import (
	"math/bits"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// TestRecentIsAList sees values again and takes the oldest out, from the slice to the table and back.
func TestRecentIsAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r recent
		var model []sighting
		values := rapid.SampledFrom([]uint64{5, 50, 200}).Draw(t, "values")
		growing := true
		for at := range int64(rapid.IntRange(1, 400).Draw(t, "steps")) {
			if at%100 == 99 {
				growing = !growing
			}
			if len(model) > 0 && (rapid.IntRange(0, 9).Draw(t, "pop") < 2) == growing {
				r.pop()
				model = model[1:]
			} else {
				s := sighting{at, rapid.Uint64Range(1, values).Draw(t, "value")}
				r.see(s)
				model = append(slices.DeleteFunc(model, func(o sighting) bool { return o.hash == s.hash }), s)
			}
			var got []sighting
			r.each(func(s sighting) { got = append(got, s) })
			if diff := cmp.Diff(model, got, cmp.AllowUnexported(sighting{}), cmpopts.EquateEmpty()); diff != "" || r.len() != len(model) {
				t.Fatalf("%d values, expected (-) and found (+):\n%s", r.len(), diff)
			}
			if len(model) > 0 && (r.oldest() != model[0] || r.newest() != model[len(model)-1]) {
				t.Fatalf("from %v to %v, not %v to %v", r.oldest(), r.newest(), model[0], model[len(model)-1])
			}
		}
	})
}

// TestRegistersOfTheSketch puts many values into few registers and lets them leave.
func TestRegistersOfTheSketch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newSketch()
		var seen []sighting
		at := int64(0)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			at += rapid.Int64Range(0, 3).Draw(t, "step")
			n := rapid.SampledFrom([]uint64{0, 1, 129, registers - 1}).Draw(t, "register")
			rest := rapid.Uint64Range(0, 63).Draw(t, "rest") << (64 - precision - 6) // ranks 1 to 6, or the last
			v := sighting{at, n<<(64-precision) | rest}
			s.see(v)
			seen = append(seen, v)
			bound := at - rapid.Int64Range(1, 30).Draw(t, "length")
			if rapid.Bool().Draw(t, "leave") {
				s.leave(bound)
				seen = slices.DeleteFunc(seen, func(v sighting) bool { return v.at <= bound })
			}
			highest := map[uint64]int{}
			for _, v := range seen {
				n := v.hash >> (64 - precision)
				highest[n] = max(highest[n], min(ranks, bits.LeadingZeros64(v.hash<<precision)+1))
			}
			counts := [ranks + 1]int32{registers - int32(len(highest))}
			for _, h := range highest {
				counts[h]++
			}
			if s.counts != counts {
				t.Fatalf("registers are %v, not %v", s.counts, counts)
			}
			for _, peaks := range s.registers {
				if len(peaks) > 0 && peaks[0].at < s.oldest() {
					t.Fatalf("the oldest is at %d, not %d", peaks[0].at, s.oldest())
				}
			}
		}
	})
}

// TestSpikeRemembersExactlySoLong: silent for ten times window and baseline, a key is known; for longer, it is as new.
func TestSpikeRemembersExactlySoLong(t *testing.T) {
	t.Parallel()
	for _, over := range []int64{0, 1} {
		c := &spike{spec: &spikeSpec{window: 1, whole: 5, parts: 1, of: 4, factor: 2, minCount: 1, up: true, memory: 50}, left: None}
		c.Enter(Observation{At: 100, Weight: 1})
		c.Advance(105)
		if at := c.Expiry(); at != 151 {
			t.Errorf("as new at %d", at)
		}
		if l := c.Enter(Observation{At: 150 + over, Weight: 1}); l.Holds != (over == 0) {
			t.Errorf("%d over: holds: %t", over, l.Holds)
		}
	}
}

// TestFractionsAreRoundedUp: half of the least amount is reached by all of it only.
func TestFractionsAreRoundedUp(t *testing.T) {
	t.Parallel()
	if got := percent(50).of(amount{low: 1}); got != (amount{low: 1}) {
		t.Errorf("half of the least is %+v", got)
	}
}
