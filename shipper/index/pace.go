package index

import (
	"math"
	"sync"
	"time"
)

// leastBytes is the smallest window: even a store in trouble gets as much at once.
const leastBytes = 64 << 10

// pace decides how many bytes are on their way to the store at once, and in how many calls: what TCP does with a
// network, with the store in its place. The window grows by addition while calls are answered in time, and is cut by a
// factor when the store says that it has too much (429) or takes too long, the more the longer. Safe for concurrent use.
type pace struct {
	perCall int // most bytes of one call
	calls   int // most calls at once
	target  time.Duration

	mu        sync.Mutex
	window    float64
	threshold float64 // below it the window doubles, above it grows step by step
	cuts      int     // how often it was cut: what was sent before a cut says nothing of what came after it
	troubled  bool    // nothing was taken since the last cut
}

func newPace(cfg Config) *pace {
	p := &pace{perCall: cfg.BatchBytes, calls: cfg.InFlight, target: cfg.LatencyTarget}
	p.window = float64(p.perCall * min(2, p.calls))
	p.threshold = p.most()
	return p
}

func (p *pace) least() float64 { return float64(min(leastBytes, p.perCall)) }
func (p *pace) most() float64  { return float64(p.perCall) * float64(p.calls) }

// atOnce is how many calls the window allows: two where it can be, so that the store is busy while the next is prepared.
func (p *pace) atOnce() int {
	if p.window < 2*p.least() {
		return 1
	}
	return min(max(2, int(math.Ceil(p.window/float64(p.perCall)))), p.calls)
}

// size is how many bytes the next call should have.
func (p *pace) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sizeLocked()
}

func (p *pace) sizeLocked() int {
	return int(min(max(p.window/float64(p.atOnce()), p.least()), float64(p.perCall)))
}

// room says whether a call of so many bytes may go while flying bytes in so many calls are on their way.
func (p *pace) room(bytes, flying, calls int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if calls == 0 {
		return true
	}
	// A batch is a message longer than it should be: the last one never fits exactly.
	return calls < p.atOnce() && float64(flying+bytes) <= p.window+float64(p.sizeLocked())/4
}

// begin gives what taken and refused want to know of the call that begins.
func (p *pace) begin() (cuts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// taken reports a call whose bytes the store has taken.
func (p *pace) taken(cuts, bytes int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cuts != p.cuts {
		return
	}
	p.troubled = false
	switch {
	case took > p.target:
		p.cut(min(0.75, max(0.25, p.target.Seconds()/took.Seconds())))
		p.threshold = p.window
	case 2*bytes < p.sizeLocked(): // there is no more to send: nothing is learnt of a larger window
	case p.window < p.threshold:
		p.window = min(p.window+float64(bytes), p.threshold)
	default: // half of the least for each window
		p.window = min(p.window+p.least()/2*min(1, float64(bytes)/p.window), p.most())
	}
}

// refused reports a call of which the store has not taken all.
func (p *pace) refused(cuts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cuts != p.cuts {
		return
	}
	if !p.troubled { // an outage cuts again and again: half of what went before it is where to be careful
		p.threshold = max(p.window/2, p.least())
	}
	p.troubled = true
	p.cut(0.5)
}

func (p *pace) cut(by float64) {
	p.cuts++
	p.window = max(p.window*by, p.least())
}

// bytes is the window, for the metric.
func (p *pace) bytes() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.window
}
