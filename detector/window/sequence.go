package window

import (
	"slices"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// sequenceSpec is a sequence as its conditions follow it: steps that must happen, and after each of them those that
// must not before the next.
type sequenceSpec struct {
	within int64
	steps  []sequenceStep
	trails bool // steps that must not happen stand last: decided at the deadline
}

type sequenceStep struct {
	bit   uint32 // of Sight.Bits: the event matches
	times uint16
	bars  uint32 // bits of the steps that must not happen after it
}

func newSequence(r *rule.Rule, k *Kind) {
	s := r.Detect.Sequence
	spec := &sequenceSpec{within: int64(s.Within.Duration), trails: s.Steps[len(s.Steps)-1].Not}
	matchers, either := make([]func(*event.Event) bool, len(s.Steps)), filter.Or{}
	for i, step := range s.Steps {
		bit := uint32(1) << i
		matchers[i] = filter.Compile(step.Where)
		either = append(either, step.Where)
		if step.Not {
			spec.steps[len(spec.steps)-1].bars |= bit
		} else {
			spec.steps = append(spec.steps, sequenceStep{bit: bit, times: uint16(step.Times)}) //nolint:gosec // at most 1,000
		}
	}
	k.New = func() Condition { return &stepChain{spec: spec, at: None} }
	k.Selects = filter.And{r.Where, either}
	where := filter.Compile(r.Where)
	k.See = func(ev *event.Event) (Sight, bool) {
		if !where(ev) {
			return Sight{}, false
		}
		bits := uint32(0)
		for i, matches := range matchers {
			if matches(ev) {
				bits |= 1 << i
			}
		}
		return Sight{Bits: bits, Follows: bits&1 == 0}, bits != 0
	}
}

// sequence follows all chains at once. A start is an event of the first step; what matters of it is its instant, and
// how far the chains that begin with it have come: for each step how many of its times have happened at most. An event
// takes every start on in the same way, so starts that have come equally far do so for ever: they are runs of one list
// of instants, in which only the number of runs costs time, not that of starts.
type stepChain struct {
	spec   *sequenceSpec
	starts []int64 // instants, oldest first, from head on
	head   int
	runs   []int32  // how many starts have come equally far, oldest first
	counts []uint16 // how far: of each run as many as there are steps
	fired  int64    // instant of the start that Advance has decided last,
	at     int64    // and when
}

func (c *stepChain) Enter(o Observation) Look {
	c.expire(Add(o.At, -c.spec.within)) // a deadline before this instant was looked at by Advance
	best := Never
	first := c.head
	for i, n := range c.runs {
		if c.spec.take(c.counts[i*len(c.spec.steps):][:len(c.spec.steps)], o.Bits) {
			best = min(best, c.starts[first])
		}
		first += int(n)
	}
	c.merge()
	if o.Bits&c.spec.steps[0].bit != 0 {
		c.start(o.At)
	}
	if best == Never || c.spec.trails {
		return Look{}
	}
	return Look{seconds(o.At - best), true}
}

// take takes one event to the counts of a run, and says whether it completes the chains.
func (s *sequenceSpec) take(counts []uint16, bits uint32) (completes bool) {
	for i := len(s.steps) - 1; i >= 0; i-- { // the last first: an event serves one step of a chain only
		step, n := &s.steps[i], counts[i]
		goesOn := bits&step.bit != 0 && (n > 0 && step.times > 1 || i > 0 && counts[i-1] == s.steps[i-1].times)
		if bits&step.bars != 0 && n == step.times {
			n-- // what came last is barred; one more of the step makes good for it
		}
		if goesOn && n < step.times {
			n++
		}
		counts[i] = n
		if i == len(s.steps)-1 && goesOn && n == step.times {
			completes = true
			if !s.trails {
				counts[i]-- // the next of this step completes them as well
			}
		}
	}
	return completes
}

// start begins a chain.
func (c *stepChain) start(at int64) {
	last := len(c.runs) - 1
	switch {
	case last < 0 || !c.fresh(last):
		c.runs = append(c.runs, 1)
		c.counts = append(c.counts, 1)
		for range len(c.spec.steps) - 1 {
			c.counts = append(c.counts, 0)
		}
	case c.starts[len(c.starts)-1] == at:
		return // one start an instant is enough
	default:
		c.runs[last]++
	}
	c.push(at)
}

// fresh says whether the starts of a run have come as far as a new one.
func (c *stepChain) fresh(run int) bool {
	counts := c.counts[run*len(c.spec.steps):][:len(c.spec.steps)]
	return counts[0] == 1 && dead(counts[1:])
}

func (c *stepChain) push(at int64) {
	if c.head > 0 && len(c.starts) == cap(c.starts) && c.head >= len(c.starts)/2 {
		c.starts, c.head = c.starts[:copy(c.starts, c.starts[c.head:])], 0
	}
	if c.starts == nil {
		c.starts = make([]int64, 0, 2)
	}
	c.starts = append(c.starts, at)
}

// merge joins runs side by side that have come equally far, and drops those that cannot go on.
func (c *stepChain) merge() {
	k, kept := len(c.spec.steps), 0
	from, to := c.head, c.head // of the starts: read, written
	for i, n := range c.runs {
		counts, own := c.counts[i*k:][:k], c.starts[from:from+int(n)]
		from += len(own)
		if dead(counts) {
			continue
		}
		if to+len(own) != from {
			copy(c.starts[to:], own)
		}
		to += len(own)
		if kept > 0 && slices.Equal(c.counts[(kept-1)*k:][:k], counts) {
			c.runs[kept-1] += n
			continue
		}
		copy(c.counts[kept*k:], counts)
		c.runs[kept] = n
		kept++
	}
	c.runs, c.counts, c.starts = c.runs[:kept], c.counts[:kept*k], c.starts[:to]
	if kept == 0 {
		c.starts, c.head = c.starts[:0], 0
	}
}

func dead(counts []uint16) bool {
	for _, n := range counts {
		if n > 0 {
			return false
		}
	}
	return true
}

// expire drops the starts before an instant.
func (c *stepChain) expire(before int64) {
	gone := 0
	for len(c.runs) > gone && c.starts[c.head] < before {
		c.head++
		if c.runs[gone]--; c.runs[gone] == 0 {
			gone++
		}
	}
	if gone > 0 {
		c.runs = slices.Delete(c.runs, 0, gone)
		c.counts = slices.Delete(c.counts, 0, gone*len(c.spec.steps))
	}
	if len(c.runs) == 0 {
		c.starts, c.head = c.starts[:0], 0
	}
}

// Advance decides the chains whose deadline is at.
func (c *stepChain) Advance(at int64) Look {
	begin := Add(at, -c.spec.within)
	c.expire(begin)
	holds := false
	if c.spec.trails {
		first := c.head
		for i, n := range c.runs {
			if c.starts[first] > begin {
				break
			}
			holds = holds || c.complete(i)
			first += int(n)
		}
		c.expire(begin + 1)
	}
	if !holds {
		return Look{}
	}
	c.fired, c.at = begin, at
	return Look{seconds(c.spec.within), true}
}

// complete says whether all steps of a run have happened, with nothing after that must not.
func (c *stepChain) complete(run int) bool {
	k := len(c.spec.steps)
	return c.counts[run*k+k-1] == c.spec.steps[k-1].times
}

func (c *stepChain) Next() int64 {
	if !c.spec.trails {
		return Never
	}
	first := c.head
	for i, n := range c.runs {
		if c.complete(i) {
			return Add(c.starts[first], c.spec.within)
		}
		first += int(n)
	}
	return Never
}

func (c *stepChain) Since(at int64) int64 {
	if at == c.at {
		return c.fired
	}
	for _, start := range c.starts[c.head:] {
		if start >= Add(at, -c.spec.within) {
			return start
		}
	}
	return Never
}

func (c *stepChain) Expiry() int64 {
	if len(c.runs) == 0 {
		return None
	}
	return Add(Add(c.starts[len(c.starts)-1], c.spec.within), 1)
}
