package index

import (
	"sync"
	"time"
)

// Answers is how a store, or a sink's keeper, answered last.
type Answers struct {
	Success time.Time // when something was taken last; zero: never
	Error   string    // of the last failure, in its words
	ErrorAt time.Time
	Failing time.Time // since when nothing was taken though something was to be; zero: it was
}

// Took takes in that something was taken.
func (a *Answers) Took(now time.Time) { a.Success, a.Failing = now, time.Time{} }

// Failed takes in a failure.
func (a *Answers) Failed(err error, now time.Time) {
	a.Error, a.ErrorAt = err.Error(), now
	if a.Failing.IsZero() {
		a.Failing = now
	}
}

// calls remembers how the store answered last. The zero value is ready. Safe for concurrent use.
type calls struct {
	mu   sync.Mutex
	last Answers
}

func (c *calls) took(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last.Took(now)
}

func (c *calls) failed(err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last.Failed(err, now)
}

func (c *calls) look() Answers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Held is what a sink has of a partition and has not kept yet.
type Held struct {
	Topic     string
	Partition int
	From, To  int64 // offsets, both included
	Bytes     int
	Since     time.Time
}

// Look is what a Sink tells of itself.
type Look struct {
	Held    []Held
	Answers Answers
}

// Looker is a Sink that tells of itself. Safe for concurrent use.
type Looker interface {
	Look() Look
	// Holds is how long it may hold messages on purpose.
	Holds() time.Duration
}
