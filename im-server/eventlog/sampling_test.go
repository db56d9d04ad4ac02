package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/event"
)

var at = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// traces makes trace ids: drawn at random, or by a client that only counts.
func traces(t *rapid.T, n int) []string {
	seed, counts := rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "client counts")
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // to be repeated
	list := make([]string, n)
	for i := range list {
		var b [16]byte
		hi, lo := r.Uint64(), r.Uint64()
		if counts {
			hi, lo = seed, uint64(i)
		}
		binary.BigEndian.PutUint64(b[:8], hi)
		binary.BigEndian.PutUint64(b[8:], lo)
		list[i] = hex.EncodeToString(b[:])
	}
	return list
}

func ofTrace(a event.Action, trace string, when time.Time) *event.Event {
	ev := new(event.Event)
	ev.Begin(a, when)
	ev.SetText(event.FieldTraceID, trace)
	return ev
}

// TestWeightsCount: whatever the shares and the rate, the sum of the weights is the number of events but for chance, of
// lines that are folded too.
func TestWeightsCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const n = 2000
		share := rapid.Float64Range(0.01, 1).Draw(rt, "share")
		c := SamplingConfig{share, share, share, share, rapid.Float64Range(1, 500).Draw(rt, "rate"), share}
		a := rapid.SampledFrom([]event.Action{
			event.ActionHeartbeat, event.ActionJoin, event.ActionHTTPRequest, event.ActionMessageRejected, event.ActionRateLimited,
		}).Draw(rt, "action")
		folded := float64(rapid.IntRange(1, 5).Draw(rt, "folded"))
		pace := time.Duration(rapid.IntRange(0, int(50*time.Millisecond)).Draw(rt, "pace"))
		s := newSampler()
		var sum float64
		for i, trace := range traces(rt, n) {
			ev := ofTrace(a, trace, at.Add(time.Duration(i)*pace))
			if folded > 1 {
				ev.SetFloat(event.FieldSampleWeight, folded)
			}
			if s.keep(&c, ev) {
				sum += ev.Weight()
			}
		}
		// Each event counts 1/share with a chance of share: a variance of (1-share)/share. Seven deviations never happen.
		if bound := 7 * folded * math.Sqrt(n*(1-share)/share); math.Abs(sum-n*folded) > bound+1e-6 {
			rt.Fatalf("%d events of weight %v sum up to %v; chance allows %v", n, folded, sum, bound)
		}
	})
}

// TestWeightIsTheChance: the chance of a line times its weight is one to the last digit, so that nothing adds up.
func TestWeightIsTheChance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		share := rapid.Float64Range(minShare, 1).Draw(rt, "share")
		chance := float64(uint64(share*math.Exp2(64))) / math.Exp2(64)
		if share < 1 && math.Abs(chance/share-1) > 1e-12 {
			rt.Fatalf("share %v has a chance of %v", share, chance)
		}
	})
}

// TestLifecycleIsWhole: no share and no rate leaves out a line of a connection's life, an error, or the node's own.
func TestLifecycleIsWhole(t *testing.T) {
	t.Parallel()
	sampled := []event.Action{
		event.ActionHeartbeat, event.ActionJoin, event.ActionLeave, event.ActionHTTPRequest, event.ActionMessageRejected,
		event.ActionMessageFailed, event.ActionMessageExpired, event.ActionSlowConsumer, event.ActionRateLimited, event.ActionTopicGap,
	}
	least := SamplingConfig{minShare, minShare, minShare, minShare, 1, minShare}
	rapid.Check(t, func(rt *rapid.T) {
		s := newSampler()
		for _, trace := range traces(rt, 50) {
			for _, a := range event.Actions() {
				ev := ofTrace(a, trace, at)
				level := rapid.SampledFrom([]string{a.Level, event.LevelWarn, event.LevelError}).Draw(rt, "level")
				ev.SetText(event.FieldLogLevel, level)
				whole := level == event.LevelError || !slices.ContainsFunc(sampled, func(o event.Action) bool { return o.Code == a.Code })
				if whole && (!s.keep(&least, ev) || ev.Has(event.FieldSampleWeight)) {
					rt.Fatalf("%s at %s was sampled", a.Code, level)
				}
			}
		}
	})
}

// TestPairsAreWhole: of one trace both join and leave are written or neither is, on whichever node, and what a smaller
// share keeps a larger one keeps too.
func TestPairsAreWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		share := rapid.Float64Range(minShare, 1).Draw(rt, "share")
		c := SamplingConfig{share, share, share, share, 1, share}
		wider := SamplingConfig{Heartbeats: share + (1-share)/2}
		here, there := newSampler(), newSampler()
		for _, trace := range traces(rt, 200) {
			joined := here.keep(&c, ofTrace(event.ActionJoin, trace, at))
			if left := there.keep(&c, ofTrace(event.ActionLeave, trace, at.Add(time.Hour))); left != joined {
				rt.Fatalf("of trace %s the join is %t and the leave %t", trace, joined, left)
			}
			if joined && !here.keep(&wider, ofTrace(event.ActionHeartbeat, trace, at)) {
				rt.Fatalf("trace %s is kept at %v and not at %v", trace, share, wider.Heartbeats)
			}
		}
	})
}

// TestWarnsBelowTheRateAreWhole: no second has fewer whole lines than the rate allows, and none of one action costs
// another.
func TestWarnsBelowTheRateAreWhole(t *testing.T) {
	t.Parallel()
	c := SamplingConfig{1, 1, 1, 1, 10, 0.5}
	s := newSampler()
	whole := map[string]int{}
	for i := range 3000 { // 3 seconds, a thousand lines each
		for _, a := range []event.Action{event.ActionMessageRejected, event.ActionSlowConsumer} {
			ev := ofTrace(a, "", at.Add(time.Duration(i)*time.Millisecond))
			if s.keep(&c, ev) && ev.Weight() == 1 {
				whole[a.Code]++
			}
		}
	}
	for a, n := range whole { // the bucket's ten, and ten a second
		if n != 39 && n != 40 {
			t.Errorf("%d lines of %s are whole", n, a)
		}
	}
	if len(whole) != 2 {
		t.Errorf("whole lines are of %v", whole)
	}
}
