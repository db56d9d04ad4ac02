package shipper

import "github.com/prometheus/client_golang/prometheus"

// reading is what becomes of a line when it is read.
type reading int

const (
	readEvent reading = iota
	readDeadLetter
	readSampled
	readIgnored
	readEmpty
	readCut
	readings
)

// String gives the label of the metric.
func (r reading) String() string {
	return [...]string{"event", "dead_letter", "sampled", "ignored", "empty", "cut"}[r]
}

// readCounts counts a source's lines, and shows them by the batch: a metric for each line costs as much as a tenth of
// its parsing.
type readCounts struct {
	pending [readings]int
	shown   [readings]prometheus.Counter
}

func (m *metrics) readOf(source string) readCounts {
	var c readCounts
	for r := range readings {
		c.shown[r] = m.read.WithLabelValues(source, r.String())
	}
	return c
}

func (c *readCounts) add(r reading) { c.pending[r]++ }

func (c *readCounts) show() {
	for r, n := range c.pending {
		if n > 0 {
			c.shown[r].Add(float64(n))
		}
	}
	c.pending = [readings]int{}
}
