package window

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event/filter"
)

func sequenceRule(within int64, steps ...rule.Step) *rule.Rule {
	for i := range steps {
		steps[i].Where = filter.All{}
		steps[i].Times = max(1, steps[i].Times)
	}
	s := &rule.Sequence{Steps: steps, Within: rule.Length{Duration: time.Duration(within)}}
	return &rule.Rule{ID: "r", Where: filter.All{}, Detect: rule.Detect{Type: rule.TypeSequence, Sequence: s}}
}

// naiveSequence is the definition: it makes every chain there is.
func naiveSequence(s *rule.Sequence, obs []Observation, end int64) []shown {
	began := map[[2]int64]int64{} // by instant and event: when the earliest chain began
	answer := func(first int, at int64, by int) {
		place := [2]int64{at, int64(by)}
		if b, known := began[place]; at <= end && (!known || obs[first].At < b) {
			began[place] = obs[first].At
		}
	}
	var build func(step, done, bars int, chain []int)
	build = func(step, done, bars int, chain []int) {
		if len(chain) > 0 && obs[chain[len(chain)-1]].At-obs[chain[0]].At > int64(s.Within.Duration) {
			return
		}
		switch {
		case step == len(s.Steps) && s.Steps[step-1].Not:
			last, deadline := chain[len(chain)-1], obs[chain[0]].At+int64(s.Within.Duration)
			for i := last + 1; i < len(obs) && obs[i].At <= deadline; i++ {
				if int(obs[i].Bits)&bars != 0 {
					return // answered
				}
			}
			answer(chain[0], deadline, -1)
		case step == len(s.Steps):
			answer(chain[0], obs[chain[len(chain)-1]].At, chain[len(chain)-1])
		case s.Steps[step].Not:
			build(step+1, 0, bars|1<<step, chain)
		case done == s.Steps[step].Times:
			build(step+1, 0, 0, chain)
		default:
			from := 0
			if len(chain) > 0 {
				from = chain[len(chain)-1] + 1
			}
			for i := from; i < len(obs); i++ {
				if obs[i].Bits&(1<<step) != 0 {
					build(step, done+1, 0, append(slices.Clone(chain), i))
				}
				if int(obs[i].Bits)&bars != 0 {
					break // whatever comes after it has it between
				}
			}
		}
	}
	build(0, 0, 0, nil)
	var held []shown
	for place, from := range began {
		held = append(held, shown{place[0], int(place[1]), seconds(place[0] - from)})
	}
	slices.SortFunc(held, func(a, b shown) int { return cmp.Or(cmp.Compare(a.at, b.at), byOrder(a.id, b.id)) })
	return held
}

// byOrder puts deadlines after events.
func byOrder(a, b int) int { return cmp.Compare(uint(a), uint(b)) } //nolint:gosec // -1 becomes the greatest

func drawSteps(t *rapid.T) []rule.Step {
	steps := make([]rule.Step, rapid.IntRange(2, 5).Draw(t, "steps"))
	for i := range steps {
		if i > 0 && rapid.IntRange(0, 2).Draw(t, "not") == 0 {
			steps[i] = rule.Step{Not: true}
		} else {
			steps[i] = rule.Step{Times: rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "times")}
		}
	}
	return steps
}

func drawObservations(t *rapid.T, most int, bits uint32) []Observation {
	obs := make([]Observation, rapid.IntRange(0, most).Draw(t, "events"))
	at := int64(-3)
	for i := range obs {
		at += rapid.SampledFrom([]int64{0, 0, 1, 1, 2, 5}).Draw(t, "step")
		obs[i] = Observation{At: at, Weight: 1, Sight: Sight{Bits: rapid.Uint32Range(1, bits).Draw(t, "bits")}}
	}
	return obs
}

func TestSequenceIsItsDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		r := sequenceRule(rapid.Int64Range(1, 20).Draw(t, "within"), steps...)
		nk, err := NewKind(r)
		k := mustKind(t, nk, err)
		obs := drawObservations(t, 14, 1<<len(steps)-1)
		end := int64(60)
		if r.Detect.Sequence.Steps[len(steps)-1].Not {
			end = rapid.Int64Range(-5, 60).Draw(t, "end")
		}
		obs = slices.DeleteFunc(obs, func(o Observation) bool { return o.At > end })
		checkCondition(t, k, obs, end, naiveSequence(r.Detect.Sequence, obs, end))
	})
}

// With every start still open, state is one instant for each and some bytes for each way of having come along.
func TestSequenceStaysCompact(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]rule.Step{
		"a then b":               {{}, {}},
		"a not followed by b":    {{}, {Not: true}},
		"a, 50 of b, not c then": {{}, {Times: 50}, {Not: true}, {}},
		"20 of a, not b, then c": {{Times: 20}, {Not: true}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nk, err := NewKind(sequenceRule(1<<40, steps...))
			c := mustKind(t, nk, err).New().(*stepChain)
			for i := range int64(100_000) {
				c.Enter(Observation{At: i, Sight: Sight{Bits: 1 | uint32(i%7/6)<<1}})
			}
			if n := len(c.starts) - c.head; n > 100_000 || len(c.runs) > 1+20+50 {
				t.Errorf("%d starts in %d runs", n, len(c.runs))
			}
			if size := c.Size(); size > 8*100_000*3/2+4_000 {
				t.Errorf("%d bytes", size)
			}
		})
	}
}

func BenchmarkSequence(b *testing.B) {
	for _, open := range []int64{1, 1_000, 100_000} {
		b.Run(fmt.Sprintf("%d starts open", open), func(b *testing.B) {
			nk, err := NewKind(sequenceRule(open, rule.Step{Times: 3}, rule.Step{Not: true}, rule.Step{}, rule.Step{Not: true}))
			c := mustKind(b, nk, err).New().(*stepChain)
			at := int64(0)
			for b.Loop() {
				at++
				for c.Next() < at {
					c.Advance(c.Next())
				}
				c.Enter(Observation{At: at, Sight: Sight{Bits: [...]uint32{1, 1, 1, 4, 1, 2, 8, 1}[at%8]}})
			}
			b.ReportMetric(float64(c.Size()), "B")
			b.ReportMetric(float64(len(c.runs)), "runs")
		})
	}
}
