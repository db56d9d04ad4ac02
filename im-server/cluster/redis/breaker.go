package redis

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The states of the breaker.
const (
	stateClosed   = "closed"    // Redis is there
	stateOpen     = "open"      // it is lost: calls fail at once
	stateHalfOpen = "half_open" // it answers again, and the journal is being replayed
)

var stateNumbers = map[string]float64{stateClosed: 0, stateHalfOpen: 1, stateOpen: 2}

// breaker decides whether Redis is there. It begins open, until it was looked for.
type breaker struct {
	limit  int
	window time.Duration // calls that time out within it count as one: a disk that stalls holds up all that are being made
	isUp   atomic.Bool
	change chan struct{} // holds one when there was a change
	mu     sync.Mutex
	state  string
	closed time.Time // since when
	fails  int       // in a row
	late   time.Time // when a time-out was counted last
	err    error
}

func newBreaker(limit int, window time.Duration) *breaker {
	return &breaker{limit: limit, window: window, state: stateOpen, change: make(chan struct{}, 1)}
}

func (b *breaker) up() bool { return b.isUp.Load() }

// refuse is nil when calls may be made.
func (b *breaker) refuse() error {
	if b.up() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost()
}

// refuseOpen is nil when Redis answers, though the journal may still be being replayed.
func (b *breaker) refuseOpen() error {
	if b.up() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != stateOpen {
		return nil
	}
	return b.lost()
}

func (b *breaker) lost() error {
	if b.err == nil {
		return ErrLost
	}
	return fmt.Errorf("%w: %w", ErrLost, b.err)
}

func (b *breaker) now() (state string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.err
}

// since is when the breaker closed last.
func (b *breaker) since() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = 0
}

// failed opens the breaker when it was one failure too many; half open, one is enough.
func (b *breaker) failed(err error) {
	var ne net.Error
	timeout := errors.As(err, &ne) && ne.Timeout()
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	if timeout && b.state == stateClosed {
		if now.Sub(b.late) < b.window {
			return
		}
		b.late = now
	}
	b.fails++
	if b.state == stateHalfOpen || b.state == stateClosed && b.fails >= b.limit {
		b.set(stateOpen)
	}
}

// answered: an open breaker is half open.
func (b *breaker) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == stateOpen {
		b.set(stateHalfOpen)
	}
}

// replayed: a half-open breaker is closed, from now on.
func (b *breaker) replayed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == stateHalfOpen {
		b.fails, b.err, b.closed = 0, nil, now
		b.set(stateClosed)
	}
}

// set is called with the lock held.
func (b *breaker) set(state string) {
	b.state = state
	b.isUp.Store(state == stateClosed)
	select {
	case b.change <- struct{}{}:
	default:
	}
}

// reason says why Redis counts as lost.
func (b *breaker) reason() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost()
}
