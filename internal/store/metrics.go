package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what every adapter tells of itself. Safe for concurrent use. Make them with NewMetrics.
type Metrics struct {
	puts    *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	errs    *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them, where reg is not nil. Two stores on one registry share them.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		puts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_store_put_documents_total",
			Help: "Documents put, by what became of them: stored, existed, rejected, retry.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "im_store_request_seconds",
			Help:    "Time that an operation of the store took; a search with all its pages and what its reader did meanwhile.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}, []string{"op"}),
		errs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_store_errors_total",
			Help: "Operations of the store that failed.",
		}, []string{"op"}),
	}
	for _, o := range []Outcome{Stored, Existed, Rejected, Retry} {
		m.puts.WithLabelValues(o.String())
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(register(reg, &m.puts), register(reg, &m.seconds), register(reg, &m.errs))
}

// Observe begins the measurement of one operation and gives the function that ends it. Answers that are the caller's
// business (ErrNotFound, ErrConflict) are no errors of the store.
func (m *Metrics) Observe(op string) func(error) {
	start := time.Now()
	return func(err error) {
		m.seconds.WithLabelValues(op).Observe(time.Since(start).Seconds())
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) {
			m.errs.WithLabelValues(op).Inc()
		}
	}
}

// Put counts the documents of one Put by outcome.
func (m *Metrics) Put(results []Result) {
	var n [Retry + 1]int
	for i := range results {
		n[results[i].Outcome]++
	}
	for o, count := range n {
		if count > 0 {
			m.puts.WithLabelValues(Outcome(o).String()).Add(float64(count))
		}
	}
}

// String names the outcome as metrics and logs do.
func (o Outcome) String() string { return [...]string{"stored", "existed", "rejected", "retry"}[o] }

// register puts *c into reg, or sets it to the one that is already there.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := there.ExistingCollector.(C); ok {
			*c = same
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("registering the store's metrics: %w", err)
	}
	return nil
}
