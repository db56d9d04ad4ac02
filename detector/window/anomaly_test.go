package window_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/detector/window"
)

// plain is the manual's words on buckets, for counts and for the greatest value.
type plain struct {
	rule   *rule.Anomaly
	values map[int64]float64 // of buckets with an event
}

// score judges a bucket from all that ever was.
func (p *plain) score(n int64) (float64, bool) {
	season := int64(p.rule.Season.Duration / p.rule.Bucket.Duration)
	memory, least := int64(60), 10
	var others []int64
	if season > 0 {
		memory, least = 5*season+1, 5
	}
	for back := int64(1); back <= memory; back++ {
		apart := back % max(season, 1)
		if season == 0 || apart == 0 || season >= 4 && (apart == 1 && back > 1 || apart == season-1) {
			others = append(others, n-back)
		}
	}
	known := int64(math.MaxInt64)
	for at := range p.values {
		if at >= n-memory && at <= n {
			known = min(known, at)
		}
	}
	count := p.rule.Field.Name == ""
	value := func(n int64) (float64, bool) {
		v, ok := p.values[n]
		return v, ok || count && n >= known
	}
	x, ok := value(n)
	var history []float64
	for _, at := range others {
		if v, has := value(at); has && at >= known {
			history = append(history, v)
		}
	}
	if !ok || known > n || len(history) < least {
		return 0, false
	}
	return p.direct(p.z(x, history)), true
}

func (p *plain) z(x float64, history []float64) float64 {
	floor := 0.05
	if p.rule.Field.Name == "" {
		root := func(x float64) float64 { return 2 * math.Sqrt(x+0.375) }
		x, floor = root(x), 1
		for i := range history {
			history[i] = root(history[i])
		}
	}
	m := half(history)
	off, sum := make([]float64, len(history)), 0.0
	for i, h := range history { // half has sorted it
		off[i] = math.Abs(h - m)
		sum += off[i]
	}
	spread := 1.4826 * half(off)
	if p.rule.Field.Name != "" {
		if spread == 0 {
			spread = 1.253314 * (sum / float64(len(off)))
		}
		floor *= math.Abs(m)
	}
	switch spread = max(spread, floor); {
	case x == m:
		return 0
	case spread == 0:
		return math.Copysign(1000, x-m)
	}
	return max(-1000, min(1000, (x-m)/spread))
}

func (p *plain) direct(z float64) float64 {
	switch p.rule.Direction {
	case rule.DirectionDown:
		return 0 - z
	case rule.DirectionBoth:
		return math.Abs(z)
	}
	return z
}

func half(xs []float64) float64 {
	slices.Sort(xs)
	return xs[(len(xs)-1)/2]/2 + xs[len(xs)/2]/2
}

// The condition is driven as the engine drives it, through full and empty stretches, and read back at any step; it must
// agree with the words at the end of every bucket, also where it did not want to be looked at.
func TestAnomalyOfAKey(t *testing.T) {
	t.Parallel()
	const length = int64(10e9)
	fired := 0
	rapid.Check(t, func(t *rapid.T) {
		season := rapid.SampledFrom([]int64{0, 2, 3, 4, 5, 7}).Draw(t, "season")
		detect := fmt.Sprintf("detect: {anomaly: {bucket: 10s, score: %d, direction: %s", rapid.IntRange(1, 4).Draw(t, "score"),
			rapid.SampledFrom([]string{"up", "down", "both"}).Draw(t, "direction"))
		if season > 0 {
			detect += fmt.Sprintf(", season: %ds", season*10)
		}
		metric := rapid.Bool().Draw(t, "metric")
		if metric {
			detect += ", value: {field: event.duration, agg: max}"
		}
		k, r := kindOf(t, detect+"}}")
		p, c := &plain{r.Detect.Anomaly, map[int64]float64{}}, k.New()
		holds, now, at := false, 0.0, rapid.Int64Range(-2000, 0).Draw(t, "start")*length
		upTo := at / length // of the buckets that have ended, those up to here are compared
		advance := func(to int64) {
			l := c.Advance(to)
			holds, now = l.Holds, l.Value
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				c = reread(t, k, c)
			}
		}
		check := func(to int64) { // all buckets that end at or before to
			for ; (upTo+1)*length <= to; upTo++ {
				if end := (upTo + 1) * length; c.Next() == end {
					advance(end)
				} else if c.Next() < end {
					t.Fatalf("the next look is at %d, in the past of %d", c.Next(), end)
				}
				score, ok := p.score(upTo)
				if want := ok && r.Detect.Anomaly.Score.Holds(score); holds != want || holds && now != score {
					t.Fatalf("bucket %d: found %v %v, expected %v %v", upTo, now, holds, score, want)
				}
				if holds {
					fired++
				}
			}
		}
		typical := rapid.IntRange(0, 6).Draw(t, "typical")
		for range rapid.IntRange(1, 120).Draw(t, "buckets") {
			gap := rapid.SampledFrom([]int64{1, 1, 1, 1, 1, 1, 1, 2, 5, 60, 61, 62, 5*season + 1, 5*season + 2}).Draw(t, "gap")
			at = (at/length + gap) * length
			check(at - 1)
			n := typical + rapid.SampledFrom([]int{0, 0, 0, 1, 2, 30}).Draw(t, "more")
			if n > 0 {
				p.values[at/length] = float64(n)
			}
			enter := func(at int64, times int) {
				for range times {
					o := window.Observation{At: at, Weight: 1}
					if metric {
						o.Extra = &window.Extra{Numbers: []float64{float64(n)}}
					}
					if l := c.Enter(o); l.Holds != holds {
						t.Fatalf("an event at %d makes it %v", at, l.Holds)
					}
					if rapid.IntRange(0, 19).Draw(t, "restart") == 0 {
						c = reread(t, k, c)
					}
				}
			}
			early := rapid.IntRange(0, n).Draw(t, "early")
			enter(at, early) // before the bucket before is judged
			check(at)
			enter(at+length/2, n-early)
		}
		check(at + 400*length)
		if c.Expiry() > at+400*length {
			t.Fatalf("it is as new at %d only", c.Expiry())
		}
	})
	if fired < 10 {
		t.Errorf("only %d buckets were anomalies", fired)
	}
}

func TestScores(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		detect  string
		history []int // of ten buckets, and then the one that is judged
		now     int
		want    float64
	}{
		"seven where there are none":      {"", []int{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 4.207},
		"six are nothing":                 {"", []int{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 3.825},
		"a hundred where there are fifty": {"", []int{50, 50, 50, 50, 50, 50, 50, 50, 50, 50}, 100, 5.842},
		"none where there are fifty":      {", direction: down", []int{50, 50, 50, 50, 50, 50, 50, 50, 50, 50}, 0, 12.970},
		"a spread of its own":             {"", []int{20, 80, 20, 80, 50, 50, 20, 80, 20, 80}, 100, 1.055},
		"one of the past does not count":  {"", []int{50, 50, 50, 50, 5000, 50, 50, 50, 50, 50}, 100, 5.842},
	} {
		k, _ := kindOf(t, "detect: {anomaly: {bucket: 1m"+c.detect+"}}")
		cond := k.New()
		for i, n := range append(c.history, c.now) {
			cond.Advance(int64(i) * 60e9)
			for range n {
				cond.Enter(window.Observation{At: int64(i)*60e9 + 1, Weight: 1})
			}
		}
		l := cond.Advance(11 * 60e9)
		if math.Abs(l.Value-c.want) > 0.001 || l.Holds != (c.want >= 4) {
			t.Errorf("%s: found %v, expected the score %v", name, l, c.want)
		}
	}
}
