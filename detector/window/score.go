package window

import (
	"cmp"
	"math"
	"slices"

	"imwatch/detector/rule"
)

// maxScore bounds scores: where the history knows no spread at all, any other value is infinitely far away.
const maxScore = 1000

// judge scores a bucket that has ended, and says whether it is an anomaly.
func (c *anomaly) judge(n int64) (score float64, holds bool) {
	v, ok := c.at(n, c.first(n))
	if !ok {
		return 0, false
	}
	history := c.history(n)
	least := anomalyLeast
	if c.spec.season == 0 {
		least = anomalyLeastFlat
	}
	if len(history) < least {
		return 0, false
	}
	z := metricScore
	if c.spec.metric == nil {
		z = countScore
	}
	switch score = z(v, history); c.spec.direction {
	case rule.DirectionDown:
		score = 0 - score // of 0 it is 0
	case rule.DirectionBoth:
		score = math.Abs(score)
	}
	return score, c.spec.score.Holds(score)
}

// first gives the number of the first bucket that is known when one is judged: in which the key had an event, not
// longer ago than is remembered.
func (c *anomaly) first(n int64) int64 {
	i, _ := c.search(n - c.spec.memory)
	if i == len(c.past) {
		return Never
	}
	return c.past[i].number
}

func (c *anomaly) search(n int64) (int, bool) {
	return slices.BinarySearchFunc(c.past, n, func(p pastBucket, n int64) int { return cmp.Compare(p.number, n) })
}

// at gives the value of a bucket. Without an event it is zero for a count, and none for a metric.
func (c *anomaly) at(n, first int64) (v float64, ok bool) {
	if i, there := c.search(n); there {
		return c.past[i].value, true
	}
	return 0, c.spec.metric == nil && n >= first
}

// history gives the values that a bucket is compared with: of the same phase in the seasons before, with the buckets
// next to it, or without a season of the last buckets.
func (c *anomaly) history(n int64) []float64 {
	var values []float64
	first := c.first(n)
	take := func(n int64) {
		if v, ok := c.at(n, first); ok {
			values = append(values, v)
		}
	}
	if c.spec.season == 0 {
		for back := int64(1); back <= anomalyBuckets; back++ {
			take(n - back)
		}
		return values
	}
	around := int64(0)
	if c.spec.season >= anomalyNeighbour {
		around = 1
	}
	for back := int64(1); back <= anomalySeasons; back++ {
		for beside := -around; beside <= around; beside++ {
			take(n - back*c.spec.season + beside)
		}
	}
	return values
}

// Constants that make a spread that of a normal distribution comparable to its standard deviation.
const (
	perMAD    = 1.4826   // of the median absolute deviation
	perMeanAD = 1.253314 // of the mean absolute deviation
)

// metricFloor is the least spread of a metric, as a share of its median.
const metricFloor = 0.05

// The conversions below keep compilers from fusing a product and a sum, which some machines would round otherwise.

// countScore is how far a count is from the median of those before. Their roots are compared: 2√(x+⅜) has a variance of
// about 1 for every Poisson distribution, whatever its mean (Anscombe 1948). So no spread is below that of events that
// come by chance, and few events more than few are nothing.
func countScore(v float64, history []float64) float64 {
	for i, h := range history {
		history[i] = root(h)
	}
	median, mad := medians(history)
	return float64(root(v)-median) / max(1, float64(perMAD*mad))
}

func root(x float64) float64 { return float64(2 * math.Sqrt(max(x, 0)+0.375)) }

// metricScore is the modified z-score of Iglewicz and Hoaglin (1993), with a least spread.
func metricScore(v float64, history []float64) float64 {
	median, mad := medians(history)
	spread := float64(perMAD * mad)
	if mad == 0 { // more than half are equal
		sum := 0.0
		for _, h := range history {
			sum += math.Abs(h - median)
		}
		spread = float64(perMeanAD * (sum / float64(len(history))))
	}
	spread = max(spread, float64(metricFloor*math.Abs(median)))
	d := v - median
	switch {
	case d == 0:
		return 0
	case spread == 0:
		return math.Copysign(maxScore, d)
	case math.IsInf(spread, 0):
		return 0 // what no number can hold is no measure
	}
	return max(-maxScore, min(maxScore, d/spread))
}

// medians gives the median and the median absolute deviation from it. It sorts the values.
func medians(values []float64) (median, mad float64) {
	slices.Sort(values)
	median = middle(values)
	off := make([]float64, len(values))
	for i, v := range values {
		off[i] = math.Abs(v - median)
	}
	slices.Sort(off)
	return median, middle(off)
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return float64(sorted[n/2-1]/2) + float64(sorted[n/2]/2)
}
