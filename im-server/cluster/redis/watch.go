package redis

import (
	"context"
	"fmt"
	"time"
)

// watch looks for Redis from time to time, and tells of its loss and return.
func (c *Cluster) watch(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Ping)
	defer tick.Stop()
	told := true // that Redis is there
	c.look(ctx)
	for {
		told = c.tell(ctx, told)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look(ctx)
			c.handed.forget(c.opts.Now().Add(-c.opts.Keep.Dedupe))
		case <-c.breaker.change:
		}
		if c.breaker.refuseOpen() == nil && c.own.spoilt() {
			c.resync(ctx)
		}
	}
}

// look asks Redis whether it serves. An open breaker becomes half open by that, and the lane replays the journal.
func (c *Cluster) look(ctx context.Context) {
	state, _ := c.breaker.now()
	err := c.ping(ctx, state != stateClosed)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		c.breaker.failed(err)
	case state == stateOpen:
		c.breaker.answered()
		c.lane.wake()
	default:
		c.breaker.succeeded()
	}
}

// ping asks whether Redis is there, and whether it takes what is written: one that is full or has lost its master is lost
// as well. After a loss its scripts may be gone.
func (c *Cluster) ping(ctx context.Context, back bool) error {
	began := time.Now()
	err := c.client.Set(ctx, c.keys.probe(), c.opts.Node, time.Minute).Err()
	if err == nil && back {
		err = c.scripts.load(ctx, c.client)
	}
	c.metrics.took("ping", time.Since(began), err)
	if err != nil {
		return fmt.Errorf("looking for Redis: %w", err)
	}
	return nil
}

// tell tells the Receiver of a change, and gives what it knows now.
func (c *Cluster) tell(ctx context.Context, told bool) bool {
	state, err := c.breaker.now()
	up := state == stateClosed
	if state != stateOpen || err != nil {
		c.answerOnce.Do(func() { close(c.answered) })
	}
	switch {
	case up:
		c.lookedOnce.Do(func() {
			c.awaitFeed(ctx)
			close(c.looked)
		})
	case state == stateOpen && err != nil:
		c.lookedOnce.Do(func() { close(c.looked) })
		c.feed.giveUp()
	}
	if up == told || !up && (state == stateHalfOpen || err == nil) {
		return told
	}
	if !up {
		c.own.spoil()
	}
	c.receiver.Changed(up, state, err)
	return up
}

// awaitFeed waits, at the start, until others can reach this node, unless that takes too long.
func (c *Cluster) awaitFeed(ctx context.Context) {
	limit := time.NewTimer(c.cfg.Timeout)
	defer limit.Stop()
	select {
	case <-c.feed.whole:
	case <-limit.C:
	case <-ctx.Done():
	}
}
