package deliver

import (
	"sync"
	"time"

	"imwatch/alerting/channel"
)

// Pace keeps the calls to one provider inside its budget. Safe for concurrent use; receivers that call the same
// robot share one.
//
// It looks back over a sliding stretch instead of filling a bucket: a bucket lets twice its size through around the
// moment when it is full, and providers count every stretch.
type Pace struct {
	calls int // 0: no limit
	per   time.Duration

	mu      sync.Mutex
	under   int         // calls under way
	ended   []time.Time // of the calls in the last stretch, oldest first
	blocked time.Time
}

// NewPace makes the pace of a budget; the zero budget is no limit.
func NewPace(b channel.Budget) *Pace { return &Pace{calls: b.Calls, per: b.Per} }

// Take begins a call and says 0, or says how long to wait before asking again. End must follow each call begun.
func (p *Pace) Take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.blocked.Sub(now); d > 0 {
		return d
	}
	for len(p.ended) > 0 && now.Sub(p.ended[0]) >= p.per {
		p.ended = p.ended[1:]
	}
	if p.calls == 0 || p.under+len(p.ended) < p.calls {
		p.under++
		return 0
	}
	if len(p.ended) == 0 {
		return p.per // all of the budget is under way
	}
	return p.per - now.Sub(p.ended[0])
}

// End says that a call was answered, or was not made after all. The stretch runs from the answer: the provider has
// counted the call at some moment before it.
func (p *Pace) End(now time.Time, made bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under--
	if made && p.calls > 0 {
		p.ended = append(p.ended, now)
	}
}

// Block makes every call wait until the given time.
func (p *Pace) Block(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.blocked) {
		p.blocked = until
	}
}
