package kafkabus

import (
	"errors"
	"sync/atomic"
)

// use guards the caller's memory: an encoder looks at it between begin and end, and no more after abandon.
type use struct {
	state atomic.Int32
	over  chan struct{} // closed by end
}

const (
	untouched int32 = iota
	encoding
	abandoned
)

var errAbandoned = errors.New("the caller has given up")

func newUse() use { return use{over: make(chan struct{})} }

func (u *use) begin() bool { return u.state.CompareAndSwap(untouched, encoding) }

func (u *use) end() { close(u.over) }

// abandon returns when the encoder is done with the memory or can no longer begin with it. That takes as long as
// encoding a batch at most, never as long as the network.
func (u *use) abandon() {
	if !u.state.CompareAndSwap(untouched, abandoned) {
		<-u.over
	}
}
