package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"imwatch/alerting/budget"
	"imwatch/internal/store"
)

const (
	// tries is how often a call is entered into the book at most before other alerters are let go first.
	tries = 4
	// fresh is how long what the book said is believed when it says to wait: so that a flood does not read it each time.
	fresh = time.Second
	// lookAgain is the longest wait for the book: others may have given something back.
	lookAgain = 5 * time.Second
	// aside is how long a store that failed is left alone while there is a share to live on.
	aside = 10 * time.Second
)

// shared is what a pace needs to share its budget with other alerters.
type shared struct {
	keeper *budget.Keeper
	hold   time.Duration // the longest time from taking a turn to the call's end
	asking chan struct{} // one asks the book at a time

	// The pace's lock is held for these.
	spare  *call // a turn that was not used: others count it
	read   time.Time
	share  int // what others leave to us, until
	until  time.Time
	failed time.Time // when the store failed last
}

// Share makes the pace count the calls of other alerters too, by a book in the store. hold is the longest time between
// Take and the call's end. It is called before the first Take.
func (p *Pace) Share(k *budget.Keeper, hold time.Duration) {
	if p.calls > 0 {
		p.shared = &shared{keeper: k, hold: hold, asking: make(chan struct{}, 1)}
	}
}

// Take gives leave for one call, or says how long to wait before asking again. End must follow.
func (p *Pace) Take(ctx context.Context, now time.Time, urgent bool) (Turn, time.Duration) {
	if p.shared == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.take(now, urgent, time.Time{})
	}
	select {
	case p.shared.asking <- struct{}{}:
		defer func() { <-p.shared.asking }()
	case <-ctx.Done():
		return Turn{}, storePause
	}
	if t, d, ok := p.known(now, urgent); ok {
		return t, d
	}
	for range tries {
		t, d, err := p.enter(ctx, now, urgent)
		switch {
		case err == nil:
			return t, d
		case !errors.Is(err, store.ErrConflict):
			return p.byShare(now, urgent)
		}
	}
	return Turn{}, 50*time.Millisecond + rand.N(100*time.Millisecond) //nolint:gosec // jitter needs no secrecy
}

// known answers without the store, where that can be: by a turn that was not used, by what the book said a moment ago, or
// by the share while the store fails.
func (p *Pace) known(now time.Time, urgent bool) (Turn, time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.blocked.Sub(now); d > 0 {
		return Turn{}, min(d, lookAgain), true
	}
	s := p.shared
	if c := s.spare; c != nil {
		p.forget(c)
		s.spare = nil
		if now.Before(c.Ended.Add(-s.hold / 2)) {
			d := p.wait(now, urgent)
			p.own = append(p.own, c)
			if d > 0 {
				s.spare = c
				return Turn{}, min(d, lookAgain), true
			}
			return Turn{c.Ended, []part{{p, c}}}, 0, true
		}
	}
	if d := p.wait(now, urgent); d > 0 && now.Sub(s.read) < fresh {
		return Turn{}, min(d, lookAgain), true
	}
	if now.Sub(s.failed) < aside && s.live(now) {
		t, d := p.shareTurn(now, urgent)
		return t, d, true
	}
	return Turn{}, 0, false
}

// enter reads the book, and writes a call into it if there is room.
func (p *Pace) enter(ctx context.Context, now time.Time, urgent bool) (Turn, time.Duration, error) {
	s := p.shared
	book, version, err := s.keeper.Read(ctx)
	if err != nil {
		p.fail(now, 0, s.until)
		return Turn{}, 0, err
	}
	p.mu.Lock()
	p.learn(book, now)
	t, d := p.take(now, urgent, now.Add(s.hold))
	if d > 0 {
		p.mu.Unlock()
		return Turn{}, min(d, lookAgain), nil
	}
	use := p.use(now)
	p.mu.Unlock()
	err = s.keeper.Write(ctx, book, version, use, now)
	p.wrote(use, err, now)
	if err == nil {
		return t, 0, nil
	}
	p.mu.Lock()
	p.forget(t.parts[0].call)
	p.mu.Unlock()
	return Turn{}, 0, err
}

// wrote notes what became of a writing. One that failed otherwise than by a conflict may stand there all the same.
func (p *Pace) wrote(u budget.Use, err error, now time.Time) {
	if err != nil {
		if !errors.Is(err, store.ErrConflict) {
			p.fail(now, u.Share, u.Until)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared.share, p.shared.until = u.Share, u.Until
}

// use gives what this alerter writes into the book. The lock is held.
func (p *Pace) use(now time.Time) budget.Use {
	u := budget.Use{}
	if p.blocked.After(now) {
		u.Blocked = p.blocked
	}
	for _, c := range p.own {
		u.Calls = append(u.Calls, c.Call)
	}
	if p.low(now) {
		u.Share, u.Until = budget.Share(p.calls, p.others, now, p.per)
	}
	return u
}

// learn takes from a book what others use. The lock is held.
func (p *Pace) learn(b budget.Book, now time.Time) {
	p.others, p.shared.read = b.Others(p.shared.keeper.By(), now, p.per), now
	for _, u := range p.others {
		if u.Blocked.After(p.blocked) {
			p.blocked = u.Blocked
		}
	}
}

// warn has other alerters leave the provider alone as well. It is tried, no more: they would hear it from the provider.
func (p *Pace) warn(ctx context.Context, now time.Time) {
	select {
	case p.shared.asking <- struct{}{}:
		defer func() { <-p.shared.asking }()
	case <-ctx.Done():
		return
	}
	for range tries {
		book, version, err := p.shared.keeper.Read(ctx)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.learn(book, now)
		use := p.use(now)
		p.mu.Unlock()
		err = p.shared.keeper.Write(ctx, book, version, use, now)
		if !errors.Is(err, store.ErrConflict) {
			p.wrote(use, err, now)
			return
		}
	}
}

// fail notes that the store failed. A share that may or may not have been written counts as the less of both.
func (p *Pace) fail(now time.Time, share int, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shared
	s.failed = now
	if !until.Equal(s.until) {
		s.share = min(s.share, share)
		if until.Before(s.until) {
			s.until = until
		}
	}
}

// byShare gives a turn by the share after the store failed.
func (p *Pace) byShare(now time.Time, urgent bool) (Turn, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shared.live(now) {
		return Turn{}, storePause
	}
	return p.shareTurn(now, urgent)
}

// live says whether a call by the share would end before others count on it.
func (s *shared) live(now time.Time) bool { return s.share > 0 && !now.Add(s.hold).After(s.until) }

// shareTurn gives a turn by the share alone: of its calls as large a part is kept for what is urgent as of the whole.
// The lock is held.
func (p *Pace) shareTurn(now time.Time, urgent bool) (Turn, time.Duration) {
	own := Pace{calls: p.shared.share, per: p.per, fold: p.fold, own: p.own, blocked: p.blocked}
	own.reserve = min((own.calls*p.reserve+p.calls-1)/p.calls, own.calls-1)
	d := own.wait(now, urgent)
	p.own = own.own
	if d > 0 {
		return Turn{}, d
	}
	c := &call{budget.Call{Begun: now, Ended: now.Add(p.shared.hold)}, true}
	p.own = append(p.own, c)
	return Turn{c.Ended, []part{{p, c}}}, 0
}
