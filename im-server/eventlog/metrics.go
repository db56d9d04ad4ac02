package eventlog

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a log tells of itself.
type metrics struct {
	lines, sampled prometheus.Counter
	write, sync    prometheus.Histogram
	failing        atomic.Bool
}

func newMetrics() *metrics {
	times := prometheus.ExponentialBuckets(0.00002, 4, 10)
	return &metrics{
		lines:   prometheus.NewCounter(prometheus.CounterOpts{Name: "im_server_log_lines_total", Help: "Events written to the log."}),
		sampled: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_server_log_sampled_total", Help: "Events left out by sampling; others stand for them by their weight."}),
		write:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_server_log_write_seconds", Help: "Time of one write of lines into the file.", Buckets: times}),
		sync:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_server_log_sync_seconds", Help: "Time of one fsync of the file.", Buckets: times}),
	}
}

// Collectors gives the log's metrics.
func (l *Log) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		l.metrics.lines, l.metrics.sampled, l.metrics.write, l.metrics.sync,
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "im_server_log_dropped_total", Help: "Events dropped because the log's queue was full."},
			func() float64 { return float64(l.Dropped()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "im_server_log_waiting", Help: "Events that wait to be written."},
			func() float64 { return float64(l.queue.len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "im_server_log_failing", Help: "1 while the log's file cannot be written."},
			func() float64 {
				if l.metrics.failing.Load() {
					return 1
				}
				return 0
			}),
	}
}
