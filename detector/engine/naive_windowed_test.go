package engine_test

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// The types ratio, metric, cardinality and spike, as the contract has them. Sums are exact: they are made of fractions
// of whole numbers of any length.

// exactly adds numbers without rounding.
func exactly(numbers ...float64) *big.Rat {
	sum := new(big.Rat)
	for _, n := range numbers {
		sum.Add(sum, new(big.Rat).SetFloat64(n))
	}
	return sum
}

// nearest rounds once.
func nearest(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}

func weights(events []*event.Event) (ws []float64) {
	for _, e := range events {
		ws = append(ws, e.Weight())
	}
	return ws
}

func naiveRatio() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, _ bool) (float64, bool) {
			d := r.Detect.Ratio
			in := within(r, events, t, d.Window.Duration)
			var of []*event.Event
			for _, e := range in {
				if filter.Compile(d.Of)(e) {
					of = append(of, e)
				}
			}
			total := nearest(exactly(weights(in)...))
			if total <= 0 {
				return 0, false
			}
			share := nearest(exactly(weights(of)...)) / total
			return share, total >= d.MinTotal && d.Is.Holds(share)
		},
		enters: matches,
		after:  afterWindow,
	}
}

func drawRatio(t *rapid.T) string {
	return fmt.Sprintf("ratio: {of: 'event.action: disconnect', is: %q, window: %ds, min_total: %d}",
		rapid.SampledFrom([]string{"> 25%", ">= 50%", "< 50%", "<= 25%", "== 50%", "!= 100%", "> 0"}).Draw(t, "is"),
		rapid.IntRange(1, 12).Draw(t, "window"), rapid.IntRange(0, 4).Draw(t, "min"))
}

type naiveValue struct{ value, weight float64 }

func naiveMetric() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, _ bool) (float64, bool) {
			d := r.Detect.Metric
			var values []naiveValue
			var counted []float64
			for _, e := range within(r, events, t, d.Window.Duration) {
				if v, ok := d.Field.Value(e); ok {
					counted = append(counted, e.Weight())
					v.Each(func(v event.Value) bool {
						values = append(values, naiveValue{v.Float(), e.Weight()})
						return true
					})
				}
			}
			v, ok := naiveAggregate(d.Agg, values)
			return v, ok && nearest(exactly(counted...)) >= d.MinCount && d.Is.Holds(v)
		},
		enters: matches,
		after:  afterWindow,
	}
}

func naiveAggregate(agg rule.Agg, values []naiveValue) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	slices.SortStableFunc(values, func(a, b naiveValue) int { return int(2*boolean(a.value > b.value) - 1*boolean(a.value != b.value)) })
	var ws, terms []float64
	for _, v := range values {
		ws = append(ws, v.weight)
		terms = append(terms, v.value*v.weight)
	}
	switch agg.Kind {
	case rule.AggMin:
		return values[0].value, true
	case rule.AggMax:
		return values[len(values)-1].value, true
	case rule.AggSum:
		return nearest(exactly(terms...)), true
	case rule.AggAvg:
		total := nearest(exactly(ws...))
		if total <= 0 {
			return 0, false
		}
		return nearest(exactly(terms...)) / total, true
	}
	for i := range ws {
		ws[i] = max(ws[i], 0)
	}
	total := exactly(ws...)
	if total.Sign() == 0 {
		return 0, false
	}
	p, _ := new(big.Rat).SetString(strings.TrimPrefix(agg.String(), "p"))
	reach := new(big.Rat).Mul(total, p.Quo(p, big.NewRat(100, 1)))
	for i, v := range values {
		if exactly(ws[:i+1]...).Cmp(reach) >= 0 {
			return v.value, true
		}
	}
	panic("all of it does not reach a part of it")
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func drawMetric(t *rapid.T) string {
	return fmt.Sprintf("metric: {field: im.heartbeat.rtt_ms, agg: %s, is: %q, window: %ds, min_count: %d}",
		rapid.SampledFrom([]string{"sum", "avg", "min", "max", "p1", "p50", "p66.6", "p95", "p99.9"}).Draw(t, "agg"),
		fmt.Sprintf("%s %v", rapid.SampledFrom([]string{">", ">=", "<", "<=", "==", "!="}).Draw(t, "op"), rapid.SampledFrom([]float64{-1, 0, 0.1, 0.3, 2, 7, 120}).Draw(t, "limit")),
		rapid.IntRange(1, 12).Draw(t, "window"), rapid.IntRange(0, 3).Draw(t, "min"))
}

// drawNumbers gives an event's values of the field that drawMetric takes.
func drawNumbers(t *rapid.T, e *event.Event) {
	number := rapid.SampledFrom([]float64{0, 0.1, 0.2, 0.3, 1, 2, 7, -2.5, 120, 1e17, 1e-9})
	values := make([]event.Value, rapid.SampledFrom([]int{0, 1, 1, 1, 1, 3}).Draw(t, "numbers"))
	for i := range values {
		values[i] = event.FloatValue(number.Draw(t, "number"))
	}
	switch len(values) {
	case 0:
	case 1:
		e.Set(event.FieldHeartbeatRTT, values[0])
	default:
		v := values[0]
		v.List = values
		e.Set(event.FieldHeartbeatRTT, v)
	}
}

func naiveCardinality() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, _ bool) (float64, bool) {
			d := r.Detect.Cardinality
			distinct := map[any]bool{}
			for _, e := range within(r, events, t, d.Window.Duration) {
				if v, ok := d.Field.Value(e); ok {
					v.Each(func(v event.Value) bool {
						distinct[naiveSame(v)] = true
						return true
					})
				}
			}
			return float64(len(distinct)), d.Is.Holds(float64(len(distinct)))
		},
		enters: matches,
		after:  afterWindow,
	}
}

// naiveSame gives what two spellings of one value have in common.
func naiveSame(v event.Value) any {
	switch v.Type {
	case event.IP:
		return netip.MustParseAddr(v.Text).Unmap()
	case event.Float:
		return v.Float()
	default:
		return v.Text
	}
}

func drawCardinality(t *rapid.T) string {
	return fmt.Sprintf("cardinality: {field: %s, is: %q, window: %ds}",
		rapid.SampledFrom([]string{"client.ip", "event.type", "im.heartbeat.rtt_ms"}).Draw(t, "field"),
		fmt.Sprintf("%s %d", rapid.SampledFrom([]string{">", ">=", "==", "!="}).Draw(t, "op"), rapid.IntRange(1, 4).Draw(t, "limit")),
		rapid.IntRange(1, 12).Draw(t, "window"))
}

func naiveSpike() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, _ bool) (float64, bool) {
			d := r.Detect.Spike
			window, baseline := d.Window.Duration, d.Baseline.Duration
			now := nearest(exactly(weights(within(r, events, t, window))...))
			before := nearest(exactly(weights(within(r, events, t-int64(window), baseline))...))
			// usual = before × parts ÷ of, in lowest terms; all sides are multiplied by of.
			scale := big.NewRat(int64(window), int64(baseline))
			parts, of := float64(scale.Num().Int64()), float64(scale.Denom().Int64())
			usual, value := before*parts, now
			if usual > 0 {
				value = now * of / usual
			}
			if now == 0 && usual == 0 || !naiveBaseline(r, events, t) {
				return value, false
			}
			up := now*of >= d.Factor*usual && now >= d.MinCount
			down := d.Factor*now*of <= usual && usual >= d.MinCount*of
			return value, up && d.Direction != rule.DirectionDown || down && d.Direction != rule.DirectionUp
		},
		enters: matches,
		after: func(r *rule.Rule) []time.Duration {
			return []time.Duration{r.Detect.Spike.Window.Duration, r.Detect.Spike.Window.Duration + r.Detect.Spike.Baseline.Duration}
		},
	}
}

// naiveBaseline says whether the baseline at t lies wholly after the key's first event. A key that had none for ten
// times window and baseline is as new.
func naiveBaseline(r *rule.Rule, events []*event.Event, t int64) bool {
	whole := int64(r.Detect.Spike.Window.Duration + r.Detect.Spike.Baseline.Duration)
	first, last := int64(1<<62), int64(1<<62)
	for _, e := range events {
		if !matches(r, e) {
			continue
		}
		if at := e.UnixNano(); first == 1<<62 || at-last > 10*whole {
			first = at
		}
		last = e.UnixNano()
	}
	return first <= t-whole
}

func drawSpike(t *rapid.T) string {
	return fmt.Sprintf("spike: {window: %ds, baseline: %ds, factor: %v, min_count: %d, direction: %s}",
		rapid.IntRange(1, 4).Draw(t, "window"), rapid.IntRange(1, 10).Draw(t, "baseline"), rapid.SampledFrom([]float64{1.5, 2, 3}).Draw(t, "factor"),
		rapid.IntRange(0, 3).Draw(t, "min"), rapid.SampledFrom([]string{"up", "down", "both"}).Draw(t, "direction"))
}
