package window

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
)

// TestSumsAreExact adds and takes out any floats at all, and compares with fractions of whole numbers.
func TestSumsAreExact(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(
		rapid.Float64Range(-1e6, 1e6),
		rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64),
		rapid.SampledFrom([]float64{0, 1, -1, 0.1, 0.2, 0.3, 1 << 40, 1<<40 + 1, 1e300, -1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 1 - 1.0/(1<<53), 1 << 53, 0.5 / (1 << 53)}),
	)
	rapid.Check(t, func(t *rapid.T) {
		var s exactSum
		var in []float64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(in) > 0 && rapid.IntRange(0, 2).Draw(t, "out") == 0 {
				i := rapid.IntRange(0, len(in)-1).Draw(t, "which")
				s.sub(in[i])
				in = slices.Delete(in, i, i+1)
			} else {
				x := number.Draw(t, "x")
				s.add(x)
				in = append(in, x)
			}
			want := new(big.Rat)
			for _, x := range in {
				want.Add(want, new(big.Rat).SetFloat64(x))
			}
			f, _ := want.Float64()
			f = max(-math.MaxFloat64, min(math.MaxFloat64, f))
			if got := s.value(); got != f {
				t.Fatalf("the sum of %v is %v, not %v", in, f, got)
			}
		}
	})
}

func TestSumsSurviveCarries(t *testing.T) {
	t.Parallel()
	d := &digits{}
	for range 1000 {
		d.add(-0.1, 1)
		d.ops = 1<<29 - 1 // carries at the next
	}
	for range 999 {
		d.add(-0.1, -1)
	}
	if v := d.round(); v != -0.1 {
		t.Errorf("what is left is %v", v)
	}
}

// TestPercentilesOfMany fills and empties blocks, so that they are split, joined and dropped.
func TestPercentilesOfMany(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	type one struct{ v, w float64 }
	var s ranked
	var in []one
	ps := []float64{1, 50, 66.6, 95, 99, 99.9}
	for i := range 24_000 {
		grows := i%12_000 < 8_000
		if len(in) > 0 && (r.IntN(10) < 3) == grows {
			n := r.IntN(len(in))
			s.remove(in[n].v, in[n].w)
			in[n] = in[len(in)-1]
			in = in[:len(in)-1]
		} else {
			x := one{math.Floor(r.ExpFloat64() * 300), 1}
			if i > 12_000 {
				x.w = []float64{1, 1, 2, 0.5, 0.1, 0}[r.IntN(6)]
			}
			s.add(x.v, x.w)
			in = append(in, x)
		}
		if i%1000 != 0 {
			continue
		}
		sorted := slices.Clone(in)
		slices.SortFunc(sorted, func(a, b one) int { return cmp.Compare(a.v, b.v) })
		var total exactSum
		for _, x := range sorted {
			total.add(x.w)
		}
		for _, p := range ps {
			got, ok := s.percentile(percent(p))
			var sum exactSum
			at := slices.IndexFunc(sorted, func(x one) bool { sum.add(x.w); return sum.value() >= p/100*total.value()-1e-9 })
			if ok != (total.value() > 0) || ok && sorted[at].v != got {
				t.Fatalf("step %d: p%v of %d values is %v, not %v", i, p, len(in), got, sorted[at].v)
			}
		}
	}
	for _, x := range in {
		s.remove(x.v, x.w)
	}
	if len(s.blocks) != 0 || !s.total.zero() {
		t.Errorf("%d blocks and %+v are left of nothing", len(s.blocks), s.total)
	}
}

// TestNearestRank: ⌈99.9/100·1000⌉ is 999, though 99.9/100·1000 is more than that in floats.
func TestNearestRank(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{1, 2, 3, 10, 99, 1000, 1001, 123_456} {
		for tenths := uint64(1); tenths < 1000; tenths++ {
			got := percent(float64(tenths) / 10).of(amount{high: n})
			if got.low > 0 {
				got.high++
			}
			if want := (tenths*n + 999) / 1000; got.high != want {
				t.Fatalf("p%v of %d: rank %d, not %d", float64(tenths)/10, n, got.high, want)
			}
		}
	}
}

func BenchmarkMetric(b *testing.B) {
	for _, agg := range []string{"p95", "avg", "max"} {
		for _, fraction := range []float64{1, 0.1} {
			for _, n := range []int64{100, 100_000} {
				name := agg + map[bool]string{true: "/whole", false: "/fractions"}[fraction == 1] + map[bool]string{true: "/100", false: "/100000"}[n == 100]
				b.Run(name, func(b *testing.B) { benchmarkMetric(b, agg, fraction, n) })
			}
		}
	}
}

// benchmarkMetric evaluates a window of n values, one leaving for each that enters.
func benchmarkMetric(b *testing.B, agg string, unit float64, n int64) {
	b.Helper()
	a, err := rule.ParseAgg(agg)
	if err != nil {
		b.Fatal(err)
	}
	c := newMetricOf(&metricSpec{length: n, agg: a.Kind, p: percent(max(a.P, 1)), is: rule.Comparison{Limit: 1e12}, minCount: 1})
	r := rand.New(rand.NewPCG(1, 2))
	extra := &Extra{Numbers: make([]float64, 1)}
	at := int64(0)
	one := func() {
		extra.Numbers[0] = math.Floor(r.ExpFloat64()*1000) * unit
		c.Enter(Observation{At: at, Weight: 1, Sight: Sight{Extra: extra}})
		at++
	}
	for range n {
		one()
	}
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
	b.ReportMetric(float64(c.Size())/float64(n), "B/value")
}

func BenchmarkCardinality(b *testing.B) {
	for _, n := range []int64{10, 5_000, 50_000} {
		b.Run(map[int64]string{10: "10", 5_000: "5000", 50_000: "50000"}[n], func(b *testing.B) {
			c := CardinalityOf(n, rule.Comparison{Limit: 1e12}, ExactValues)
			extra := &Extra{Hashes: make([]uint64, 1)}
			at := int64(0)
			one := func() {
				extra.Hashes[0] = uint64(at) * 0x9e3779b97f4a7c15
				extra.Hashes[0] = (extra.Hashes[0] ^ extra.Hashes[0]>>33) * 0xff51afd7ed558ccd
				c.Enter(Observation{At: at, Weight: 1, Sight: Sight{Extra: extra}})
				at++
			}
			for range n {
				one()
			}
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
			b.ReportMetric(float64(c.Size()), "B/key")
		})
	}
}

func BenchmarkRatioAndSpike(b *testing.B) {
	for name, c := range map[string]Condition{
		"ratio": &ratio{spec: &ratioSpec{length: 1000, is: rule.Comparison{Limit: 0.9}}},
		"spike": &spike{spec: &spikeSpec{window: 100, whole: 1000, parts: 1, of: 9, factor: 3, up: true, memory: 10_000}, left: None},
	} {
		b.Run(name, func(b *testing.B) {
			at := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				c.Enter(Observation{At: at, Weight: 1, Sight: Sight{Bits: uint32(at & 1)}})
				at++
			}
			b.ReportMetric(float64(Size(c))/1000, "B/event")
		})
	}
}
