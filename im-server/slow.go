package imserver

import (
	"time"

	"imwatch/event"
)

// pressure is how a client keeps up with what is sent to it.
type pressure uint8

const (
	keepsUp pressure = iota
	slow             // over half of its limit
	tooSlow          // over its limit
)

// slowEvery is how often it is told that a client is slow.
const slowEvery = time.Minute

// pressed judges the queue after a push. Of a client that stays slow it says so once in slowEvery. c.mu is held.
func (c *conn) pressed() pressure {
	limits := &c.s.conf().Limits
	switch {
	case c.out.bytes > limits.QueueBytes || c.out.len() > limits.QueueMessages:
		return tooSlow
	case c.out.bytes <= limits.QueueBytes/2 && c.out.len() <= limits.QueueMessages/2:
		return keepsUp
	}
	now := c.s.clock()
	if c.slowTold && now-c.slowAt < int64(slowEvery) {
		return keepsUp
	}
	c.slowTold, c.slowAt = true, now
	return slow
}

// relieved says whether a client that was slow keeps up again. c.mu is held.
func (c *conn) relieved() bool {
	limits := &c.s.conf().Limits
	if !c.slowTold || c.ending.begun || c.out.bytes > limits.QueueBytes/4 || c.out.len() > limits.QueueMessages/4 {
		return false
	}
	c.slowTold = false
	return true
}

// press acts on what pressed said. c.mu is not held.
func (c *conn) press(p pressure) {
	if p == keepsUp {
		return
	}
	c.mu.Lock()
	depth, bytes, age := c.out.len(), c.out.bytes, c.out.age(c.s.clock())
	begun := p == tooSlow && c.beginEnd(event.CloseSlowConsumer, 0, nil)
	c.mu.Unlock()
	if p == tooSlow && !begun {
		return
	}
	c.s.metrics.slow.Inc()
	c.logSlow(event.ActionSlowConsumer, depth, bytes, age)
}

func (c *conn) logSlow(a event.Action, depth, bytes int, age int64) {
	ev := c.event(a)
	ev.SetInt(event.FieldQueueDepth, int64(depth))
	ev.SetInt(event.FieldQueueBytes, int64(bytes))
	ev.SetInt(event.FieldQueueAge, age/int64(time.Millisecond))
	c.s.emit(ev)
}
