package client

import (
	"time"

	"imwatch/event"
)

// backoff gives the waits between tries: full jitter, so that clients that were lost together don't return together.
type backoff struct {
	base, limit time.Duration
	rand        func() float64
	failures    int       // that the next bound comes of
	tries       int       // since the last connection that lived
	quickUntil  time.Time // end of the time after a loss in which tries come sooner
}

// Within quickFor after the loss of a connection the server is most likely restarting: the bounds are smaller then.
const (
	quickFor  = 10 * time.Second
	quickBase = 500 * time.Millisecond
	quickCap  = 4 * time.Second
)

// next gives the wait before the next try. The server's wish, where it has one, is the least; a jitter of the base
// goes on top.
func (b *backoff) next(now time.Time, wish time.Duration) time.Duration {
	base, limit := b.base, b.limit
	if now.Before(b.quickUntil) {
		base, limit = min(base, quickBase), min(limit, quickCap)
	}
	bound := limit
	if shifted := base << min(b.failures, 30); shifted>>min(b.failures, 30) == base && shifted < bound {
		bound = shifted
	}
	b.tries++
	if quick := now.Before(b.quickUntil); !quick || bound < limit { // so that what follows the quick time begins low
		b.failures++
	}
	if wish > 0 {
		bound = min(bound, base)
	}
	return wish + time.Duration(b.rand()*float64(bound))
}

// lost is told how long a connection was up. Only one that was not short-lived counts as a success: a server that
// accepts and closes at once must not be hammered.
func (b *backoff) lost(now time.Time, life time.Duration) {
	if life >= event.ShortLife {
		b.failures, b.tries = 0, 0
	}
	if b.failures == 0 {
		b.quickUntil = now.Add(quickFor)
	}
}
