package shipper

import (
	"time"

	"imwatch/event/canary"
)

// canaries says when canaries are due, and has the first one sent at once: after a start the way is to be known open
// as soon as it is. Files that nobody writes any more have none: their shipper ends, and would be missed.
func (r *reader) canaries() *time.Ticker {
	r.canary = !r.cfg.ExitAtEnd
	t := time.NewTicker(max(r.cfg.CanaryInterval, time.Second))
	if r.cfg.ExitAtEnd || r.cfg.CanaryInterval == 0 {
		t.Stop()
	}
	return t
}

// sing puts a canary behind what the batch holds, so that it takes the way of the lines.
func (r *reader) sing() {
	r.canary = false
	r.batch.canary = canary.Line(canary.Shipper, r.node, r.cfg.CanaryInterval, r.now())
}
