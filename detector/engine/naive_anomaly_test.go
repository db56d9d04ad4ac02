package engine_test

import (
	"fmt"
	"math"
	"sort"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
)

// naiveAnomaly puts all events of the key into buckets anew for every look, and reads the manual's formulae aloud.
func naiveAnomaly() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, settled bool) (float64, bool) {
			if !settled {
				t-- // what ends at t is judged after the events of t
			}
			score, ok := naiveScore(r, events, t/int64(r.Detect.Anomaly.Bucket.Duration)-1)
			return score, ok && r.Detect.Anomaly.Score.Holds(score)
		},
		enters: naiveMeasures,
		after:  func(*rule.Rule) []time.Duration { return nil },
		instants: func(r *rule.Rule, events []*event.Event) (all []int64) {
			length := int64(r.Detect.Anomaly.Bucket.Duration)
			for _, e := range events {
				begin := e.UnixNano() / length * length
				for i := range naiveMemory(r.Detect.Anomaly) + 3 {
					all = append(all, begin+i*length)
				}
			}
			return all
		},
		ends: func(r *rule.Rule, _ []*event.Event, t int64) bool {
			return t%int64(r.Detect.Anomaly.Bucket.Duration) == 0
		},
	}
}

// naiveMeasures: of a metric only events with a value count.
func naiveMeasures(r *rule.Rule, e *event.Event) bool {
	if r.Detect.Anomaly.Field.Name == "" {
		return matches(r, e)
	}
	_, has := r.Detect.Anomaly.Field.Value(e)
	return has && matches(r, e)
}

func naiveMemory(a *rule.Anomaly) int64 {
	if a.Season.Duration == 0 {
		return 60
	}
	return 5*int64(a.Season.Duration/a.Bucket.Duration) + 1
}

// naiveScore gives the score of a bucket; ok is false where it is not judged.
func naiveScore(r *rule.Rule, events []*event.Event, bucket int64) (score float64, ok bool) {
	a := r.Detect.Anomaly
	inside := map[int64][]*event.Event{}
	first := int64(math.MaxInt64)
	for _, e := range events {
		if n := e.UnixNano() / int64(a.Bucket.Duration); naiveMeasures(r, e) && n >= bucket-naiveMemory(a) {
			inside[n] = append(inside[n], e)
		}
	}
	for n, own := range inside {
		if _, has := naiveBucket(a, own); has {
			first = min(first, n)
		}
	}
	value, has := naiveBucket(a, inside[bucket])
	if first > bucket || !has {
		return 0, false
	}
	var compared []int64
	least := 5
	if n := int64(a.Season.Duration / a.Bucket.Duration); n == 0 {
		least = 10
		for i := int64(1); i <= 60; i++ {
			compared = append(compared, bucket-i)
		}
	} else {
		for i := int64(1); i <= 5; i++ {
			compared = append(compared, bucket-i*n)
			if n >= 4 {
				compared = append(compared, bucket-i*n-1, bucket-i*n+1)
			}
		}
	}
	var history []float64
	for _, n := range compared {
		if v, has := naiveBucket(a, inside[n]); has && n >= first {
			history = append(history, v)
		}
	}
	if len(history) < least {
		return 0, false
	}
	score = naiveZ(a, value, history)
	switch a.Direction {
	case "down":
		score = 0 - score
	case "both":
		score = math.Abs(score)
	}
	return score, true
}

func naiveBucket(a *rule.Anomaly, events []*event.Event) (float64, bool) {
	if a.Field.Name == "" && len(events) == 0 {
		return 0, true
	}
	if a.Field.Name == "" {
		return nearest(exactly(weights(events)...)), true
	}
	var values []naiveValue
	for _, e := range events {
		v, _ := a.Field.Value(e)
		v.Each(func(v event.Value) bool {
			values = append(values, naiveValue{v.Float(), e.Weight()})
			return true
		})
	}
	return naiveAggregate(a.Agg, values)
}

func naiveZ(a *rule.Anomaly, x float64, history []float64) float64 {
	median := func(xs []float64) float64 {
		xs = append([]float64{}, xs...)
		sort.Float64s(xs)
		return xs[(len(xs)-1)/2]/2 + xs[len(xs)/2]/2
	}
	off := func(xs []float64, from float64) (all []float64) {
		for _, x := range xs {
			all = append(all, math.Abs(x-from))
		}
		return all
	}
	if a.Field.Name == "" {
		anscombe := func(x float64) float64 { return 2 * math.Sqrt(math.Max(x, 0)+3.0/8) }
		for i := range history {
			history[i] = anscombe(history[i])
		}
		m := median(history)
		return (anscombe(x) - m) / math.Max(1, 1.4826*median(off(history, m)))
	}
	m := median(history)
	spread := 1.4826 * median(off(history, m))
	if spread == 0 {
		sum := 0.0
		sorted := append([]float64{}, history...)
		sort.Float64s(sorted)
		for _, d := range off(sorted, m) {
			sum += d
		}
		spread = 1.253314 * (sum / float64(len(history)))
	}
	spread = math.Max(spread, 0.05*math.Abs(m))
	switch {
	case x == m:
		return 0
	case spread == 0:
		return math.Copysign(1000, x-m)
	case math.IsInf(spread, 0):
		return 0
	}
	return math.Max(-1000, math.Min(1000, (x-m)/spread))
}

func drawAnomaly(t *rapid.T) string {
	bucket := rapid.IntRange(1, 3).Draw(t, "bucket")
	detect := fmt.Sprintf("anomaly: {bucket: %ds, score: %d, direction: %s", bucket, rapid.IntRange(1, 4).Draw(t, "score"),
		rapid.SampledFrom([]string{"up", "down", "both"}).Draw(t, "direction"))
	if n := rapid.SampledFrom([]int{0, 2, 3, 4, 5}).Draw(t, "season"); n > 0 {
		detect += fmt.Sprintf(", season: %ds", n*bucket)
	}
	if rapid.Bool().Draw(t, "metric") {
		detect += fmt.Sprintf(", value: {field: im.heartbeat.rtt_ms, agg: %s}", rapid.SampledFrom([]string{"sum", "avg", "min", "max", "p50", "p99"}).Draw(t, "agg"))
	}
	return detect + "}"
}
