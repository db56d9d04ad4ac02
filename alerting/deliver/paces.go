package deliver

import (
	"context"
	"time"
)

// Pacer gives leave for calls. Safe for concurrent use.
type Pacer interface {
	// Take gives leave for one call, or says how long to wait before asking again. End of the turn must follow.
	Take(ctx context.Context, now time.Time, urgent bool) (Turn, time.Duration)
	// Folds says how many notifications must wait for them to be told in one; false: they never are.
	Folds(now time.Time, urgent bool) (waiting int, ok bool)
	// Block makes every call wait until the given time.
	Block(ctx context.Context, now, until time.Time)
}

// Paces are several budgets of which each call needs one: a minute's and a day's, or those of several numbers.
type Paces []*Pace

// Take takes of each, or of none.
func (ps Paces) Take(ctx context.Context, now time.Time, urgent bool) (Turn, time.Duration) {
	var all Turn
	for _, p := range ps {
		t, d := p.Take(ctx, now, urgent)
		if d > 0 {
			all.End(now, false)
			return Turn{}, d
		}
		if all.By.IsZero() || !t.By.IsZero() && t.By.Before(all.By) {
			all.By = t.By
		}
		all.parts = append(all.parts, t.parts...)
	}
	return all, 0
}

// Folds folds as soon as one of them does.
func (ps Paces) Folds(now time.Time, urgent bool) (waiting int, ok bool) {
	for _, p := range ps {
		if n, folds := p.Folds(now, urgent); folds && (!ok || n < waiting) {
			waiting, ok = n, true
		}
	}
	return waiting, ok
}

// Block blocks each.
func (ps Paces) Block(ctx context.Context, now, until time.Time) {
	for _, p := range ps {
		p.Block(ctx, now, until)
	}
}
