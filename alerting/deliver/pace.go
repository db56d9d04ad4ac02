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
	calls   int // 0: no limit
	per     time.Duration
	reserve int // of the calls, for what is urgent
	fold    int // bytes of a digest; 0: none

	mu      sync.Mutex
	under   int         // calls under way
	ended   []time.Time // of the calls in the last stretch, oldest first
	blocked time.Time
}

// NewPace makes the pace of a budget; the zero budget is no limit.
func NewPace(b channel.Budget) *Pace {
	return &Pace{calls: b.Calls, per: b.Per, reserve: max(0, min(b.Reserve, b.Calls-1)), fold: b.Fold}
}

// Take begins a call and says 0, or says how long to wait before asking again. End must follow each call begun.
func (p *Pace) Take(now time.Time, urgent bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.wait(now, urgent); d > 0 {
		return d
	}
	p.under++
	return 0
}

func (p *Pace) wait(now time.Time, urgent bool) time.Duration {
	if d := p.blocked.Sub(now); d > 0 {
		return d
	}
	if p.calls == 0 {
		return 0
	}
	limit := p.limit(urgent)
	free := p.free(now, limit)
	if free <= 0 {
		// So many of the calls that ended must leave the stretch; those under way end at a time unknown.
		if must := 1 - free; must <= len(p.ended) {
			return p.per - now.Sub(p.ended[must-1])
		}
		return p.per
	}
	if urgent || p.fold == 0 || free > limit/2 || len(p.ended) == 0 {
		return 0
	}
	// The budget runs low: what is left of it is spread over the rest of the stretch, so that it is never gone, and
	// what comes meanwhile is told in one.
	gap := (p.per - now.Sub(p.ended[0])) / time.Duration(free)
	return gap - now.Sub(p.ended[len(p.ended)-1])
}

// limit is how many calls of the budget somebody may use.
func (p *Pace) limit(urgent bool) int {
	if urgent {
		return p.calls
	}
	return p.calls - p.reserve
}

// free forgets the calls that have left the stretch and gives how many more of limit there are; it can be negative.
func (p *Pace) free(now time.Time, limit int) int {
	for len(p.ended) > 0 && now.Sub(p.ended[0]) >= p.per {
		p.ended = p.ended[1:]
	}
	return limit - p.under - len(p.ended)
}

// Folds says how many notifications must wait for them to be told in one: fewer than 2 are never.
func (p *Pace) Folds(now time.Time, urgent bool) (waiting int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == 0 || p.fold == 0 {
		return 0, false
	}
	limit := p.limit(urgent)
	free := p.free(now, limit)
	if !urgent && free <= limit/2 {
		return 2, true
	}
	return max(free+1, 2), true
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
