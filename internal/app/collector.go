package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// collector keeps Go's garbage collector from running dozens of times a second on a small heap, which a server of few
// connections and many messages has: until the heap has floor bytes there is no collection, and from twice what lives on
// the collector goes by its own rule, so that many connections cost no more memory for it.
type collector struct{ floor int }

// collectorEvery is how often the heap is looked at.
const collectorEvery = time.Second

// newCollector gives a collector; false if there is no floor, or whoever started the program has set GOGC or GOMEMLIMIT.
func newCollector(floor int, env func(string) string) (collector, bool) {
	return collector{floor}, floor > 0 && env("GOGC") == "" && env("GOMEMLIMIT") == ""
}

// run adjusts Go's percentage until ctx ends, and puts it back.
func (c collector) run(ctx context.Context) error {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := c.percent(0)
	before := debug.SetGCPercent(now)
	defer debug.SetGCPercent(before)
	tick := time.NewTicker(collectorEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			metrics.Read(live)
			// Each change stops the program for a moment: small ones are left.
			if p := c.percent(live[0].Value.Uint64()); p < now*9/10 || p > now*11/10 {
				now = p
				debug.SetGCPercent(p)
			}
		}
	}
}

// Go's default, and a bound: the heap may grow by as much before it is looked at again.
const (
	percentLeast = 100
	percentMost  = 1000
)

// percent gives the percentage by which a heap may grow of which so many bytes live.
func (c collector) percent(live uint64) int {
	if live == 0 {
		return percentMost
	}
	floor := uint64(c.floor) //nolint:gosec // positive
	if floor <= live {
		return percentLeast
	}
	return int(min(max((floor-live)*100/live, percentLeast), percentMost)) //nolint:gosec // bounded
}

// leanPercent is Go's percentage for a process whose few megabytes of buffers are used over and over: collecting them
// more often costs next to nothing, and spares what would grow above them.
const leanPercent = 40

// lean sets it, unless whoever started the program has set GOGC or GOMEMLIMIT, and gives what puts it back.
func lean(env func(string) string) (restore func()) {
	if env("GOGC") != "" || env("GOMEMLIMIT") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(leanPercent)
	return func() { debug.SetGCPercent(before) }
}
