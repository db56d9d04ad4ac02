package client

import (
	"time"

	"imwatch/event"
)

// backoff gives the waits between tries: full jitter, so that clients that were lost together don't return together.
type backoff struct {
	base, limit time.Duration
	rand        func() float64
	failures    int
}

// next gives the wait before the next try. The server's wish, where it has one, is the least; a jitter of the base
// goes on top.
func (b *backoff) next(wish time.Duration) time.Duration {
	bound := b.limit
	if shifted := b.base << min(b.failures, 30); shifted>>min(b.failures, 30) == b.base && shifted < bound {
		bound = shifted
	}
	b.failures++
	if wish > 0 {
		bound = min(bound, b.base)
	}
	return wish + time.Duration(b.rand()*float64(bound))
}

// lived is told how long a connection was up. Only one that was not short-lived counts as a success: a server that
// accepts and closes at once must not be hammered.
func (b *backoff) lived(life time.Duration) {
	if life >= event.ShortLife {
		b.failures = 0
	}
}
