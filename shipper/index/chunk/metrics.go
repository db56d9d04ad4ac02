package chunk

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	chunks   prometheus.Counter
	seconds  prometheus.Histogram
	failures prometheus.Counter
	held     prometheus.Gauge
}

func newMetrics() *metrics {
	return &metrics{
		chunks:   prometheus.NewCounter(prometheus.CounterOpts{Name: "im_index_chunks_total", Help: "Chunks kept by a sink that writes them whole; some may have been kept before."}),
		seconds:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_index_chunk_seconds", Help: "Time until a chunk was kept, repetitions included.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 14)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_index_chunk_failures_total", Help: "Attempts to keep a chunk that failed and were repeated."}),
		held:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_index_held_bytes", Help: "Bytes of messages that wait for their chunk to be full or old enough."}),
	}
}

// register makes the metrics known; r may be nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.chunks, m.seconds, m.failures, m.held} {
		if err := r.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering a metric: %w", err))
		}
	}
	return errors.Join(errs...)
}
