package deliver

import (
	"context"
	"slices"
	"sync"
	"time"

	"imwatch/alerting/budget"
	"imwatch/alerting/channel"
)

// Pace keeps the calls to one provider inside its budget. Safe for concurrent use; receivers that call the same
// robot share one, and by Share alerters do.
//
// It looks back over a sliding stretch instead of filling a bucket: a bucket lets twice its size through around the
// moment when it is full, and providers count every stretch.
type Pace struct {
	calls   int // 0: no limit
	per     time.Duration
	reserve int // of the calls, for what is urgent
	fold    int // bytes of a digest; 0: none
	shared  *shared

	mu      sync.Mutex
	own     []*call // that count, by their beginning
	others  []budget.Use
	blocked time.Time
}

// call is one of this process: under way, or ended less than a stretch ago.
type call struct {
	budget.Call
	open bool
}

// Turn is leave to make one call.
type Turn struct {
	// By is when the call must have ended, answered or not: later it could be one too many. Zero: whenever.
	By time.Time

	parts []part
}

type part struct {
	pace *Pace
	call *call
}

// NewPace makes the pace of a budget; the zero budget is no limit.
func NewPace(b channel.Budget) *Pace {
	return &Pace{calls: b.Calls, per: b.Per, reserve: max(0, min(b.Reserve, b.Calls-1)), fold: b.Fold}
}

// take begins a call or says how long to wait before asking again. The lock is held.
func (p *Pace) take(now time.Time, urgent bool, by time.Time) (Turn, time.Duration) {
	if d := p.wait(now, urgent); d > 0 {
		return Turn{}, d
	}
	c := &call{budget.Call{Begun: now, Ended: by}, true}
	p.own = append(p.own, c)
	return Turn{by, []part{{p, c}}}, 0
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
		return p.untilFree(now, 1-free)
	}
	if urgent || p.fold == 0 || free > limit/2 {
		return 0
	}
	return p.spread(now, free)
}

// spread gives the time to wait when the budget runs low: what is left of it is spread over the rest of the stretch, so
// that it is never gone, and what comes meanwhile is told in one.
func (p *Pace) spread(now time.Time, free int) time.Duration {
	var oldest, newest time.Time
	see := func(at time.Time) {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
		if at.After(newest) {
			newest = at
		}
	}
	for _, c := range p.own {
		if !c.open {
			see(c.Ended)
		}
	}
	for _, u := range p.others {
		for _, c := range u.Calls {
			if !c.Begun.After(now) && now.Sub(c.Begun) < p.per {
				see(c.Begun)
			}
		}
	}
	if oldest.IsZero() {
		return 0
	}
	return min((p.per-now.Sub(oldest))/time.Duration(free), longestGap) - now.Sub(newest)
}

// longestGap is how long something waits for company at most while there is budget left: a day's, spread evenly, would
// keep a text for hours.
const longestGap = 10 * time.Minute

// untilFree gives the time until so many of the calls that ended have left the stretch; those under way end at a time
// unknown.
func (p *Pace) untilFree(now time.Time, calls int) time.Duration {
	leaves := budget.Leaves(p.others, p.per)
	for _, c := range p.own {
		if !c.open {
			leaves = append(leaves, c.Ended.Add(p.per))
		}
	}
	leaves = slices.DeleteFunc(leaves, func(at time.Time) bool { return !at.After(now) })
	slices.SortFunc(leaves, time.Time.Compare)
	if calls <= len(leaves) {
		return leaves[calls-1].Sub(now)
	}
	return p.per
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
	p.own = slices.DeleteFunc(p.own, func(c *call) bool { return !c.open && now.Sub(c.Ended) >= p.per })
	return limit - len(p.own) - budget.Spoken(p.others, now, p.per)
}

// low says whether so little of the budget is left that what is not urgent is told together.
func (p *Pace) low(now time.Time) bool {
	limit := p.limit(false)
	return p.free(now, limit) <= limit/2
}

// Folds says how many notifications must wait for them to be told in one: fewer than 2 are never.
func (p *Pace) Folds(now time.Time, urgent bool) (waiting int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == 0 || p.fold == 0 {
		return 0, false
	}
	if !urgent && p.low(now) {
		return 2, true
	}
	return max(p.free(now, p.limit(urgent))+1, 2), true
}

// End says that a call was answered, or was not made after all. The stretch runs from the answer: the provider has
// counted the call at some moment before it.
func (t Turn) End(now time.Time, made bool) {
	for _, e := range t.parts {
		e.pace.end(e.call, now, made)
	}
}

func (p *Pace) end(c *call, now time.Time, made bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case made && p.calls > 0:
		c.open, c.Ended = false, now
	case !made && p.shared != nil && p.shared.spare == nil:
		p.shared.spare = c // others count it: the next call takes its place
	default:
		p.forget(c)
	}
}

func (p *Pace) forget(c *call) {
	p.own = slices.DeleteFunc(p.own, func(o *call) bool { return o == c })
}

// Block makes every call wait until the given time, and those of other alerters that share the budget.
func (p *Pace) Block(ctx context.Context, now, until time.Time) {
	p.mu.Lock()
	later := until.After(p.blocked)
	if later {
		p.blocked = until
	}
	p.mu.Unlock()
	if later && p.shared != nil {
		p.warn(ctx, now)
	}
}
