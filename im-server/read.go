package imserver

import (
	"errors"
	"fmt"
	"time"

	"imwatch/event"
	"imwatch/im-server/framing"
)

// errClosed ends reading after the peer's close frame.
var errClosed = errors.New("the peer sent a close frame")

// read is the read goroutine. It reads to the end, after an end of ours too: the peer's close frame is worth waiting for.
func (c *conn) read() {
	// An idle connection waits here and not in next: what next has on its stack would double the goroutine's.
	for more := true; more; {
		more = c.next(c.in.Wait())
	}
}

// next takes what comes next, and says whether to go on.
//
//go:noinline
func (c *conn) next(err error) bool {
	if c.isEnding() {
		c.in.Deafen()
	}
	var got framing.Received
	if err == nil {
		l := &c.s.conf().Limits
		got, err = c.in.Read(framing.Limits{Bytes: l.MessageBytes, Frames: l.MessageFrames})
	}
	if bad, ok := errors.AsType[*framing.Error](err); ok && !c.badFrame(bad) {
		return true
	}
	if err == nil && got.Op == framing.Close {
		c.onClose(got.Code, len(got.Data))
		err = errClosed
	}
	if err != nil {
		c.flush()
		c.in.Release()
		c.finish(err)
		return false
	}
	c.receive(&got)
	return true
}

// receive takes what came whole.
func (c *conn) receive(got *framing.Received) {
	switch got.Op {
	case framing.Text, framing.Binary:
		c.message(got)
		return
	}
	if !c.withinSpare() {
		return
	}
	switch got.Op {
	case framing.Ping:
		c.onPing(got.Data)
	case framing.Pong:
		c.onPong(got.Data)
	}
}

func (c *conn) message(got *framing.Received) {
	c.lastSaid.Store(c.s.clock())
	c.messagesIn.Add(1)
	c.bytesIn.Add(int64(got.Wire))
	if got.Packed {
		c.s.packing.received(got)
	}
	c.s.counts.in.Add(1)
	c.s.metrics.in.Inc()
	c.handle(got.Op == framing.Text, got.Data)
}

// handle gives a message to its handler. A panic there ends this connection and no other.
func (c *conn) handle(text bool, data []byte) {
	defer func() {
		if p := recover(); p != nil {
			c.s.panicked(&c.client, p)
			c.end(event.CloseServerError, 0, nil)
		}
	}()
	c.s.take(c, text, data)
}

func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending.begun
}

// socketReader reads a connection's socket for its frames: each read is a sign of life.
type socketReader struct{ c *conn }

func (r socketReader) Read(p []byte) (int, error) {
	c := r.c
	if number, begun := c.in.Begun(); c.timing != 0 && (!begun || number != c.timing) {
		c.timeMessage(number, begun)
	}
	n, err := c.stream.Read(p)
	if n > 0 {
		c.alive()
	}
	return n, err
}

// beforeWait is called before the reader waits for the client.
func (c *conn) beforeWait() {
	c.flush()
	if number, begun := c.in.Begun(); begun && c.timing == 0 {
		c.timeMessage(number, begun)
	}
}

// timeMessage gives what has begun to come the time that it has to come whole, and what comes next any time. Most comes
// whole in one read and needs none.
func (c *conn) timeMessage(number uint32, begun bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending.begun || !c.bound {
		return // both have an end of their own
	}
	var until time.Time
	c.timing = 0
	if begun {
		c.timing, until = number, time.Now().Add(c.s.conf().Timeouts.Message) // a socket's own clock
	}
	// The error is that of a closed socket, which the read says by itself.
	_ = c.nc.SetReadDeadline(until)
}

// lateError is a message that did not come whole in its time.
type lateError struct {
	limit time.Duration
	err   error
}

func (e *lateError) Error() string { return fmt.Sprintf("a message was not whole after %v", e.limit) }
func (e *lateError) Unwrap() error { return e.err }
