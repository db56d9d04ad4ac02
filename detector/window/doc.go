// Package window holds the pieces of event time that the detector is made of: the clocks of nodes and the watermark
// that follows from them, the buffer that puts events in order, the memory of event ids, and the conditions of the
// rule types, each for one key.
//
// Everything here is pure: instants are arguments, in nanoseconds since 1970, and nothing looks at a clock, starts a
// goroutine or writes anything. So the same events give the same answers live, in a backtest and after a restart.
// Every piece can be written to an [Encoder] and read back from a [Decoder]. Nothing here is safe for concurrent use.
//
// It knows no alert: when a condition becomes an alert is the business of package engine.
package window

import "math"

// None is the instant that never comes: no watermark yet, nothing due.
const (
	None  = int64(math.MinInt64) // before everything
	Never = int64(math.MaxInt64) // after everything
)

// Add gives at + d, or Never or None where that does not fit.
func Add(at, d int64) int64 {
	sum := at + d
	switch {
	case d > 0 && sum < at:
		return Never
	case d < 0 && sum > at:
		return None
	}
	return sum
}
