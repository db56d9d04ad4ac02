package index

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What becomes of a message.
const (
	outcomeStored     = "stored"
	outcomeExisted    = "existed"
	outcomeDeadLetter = "dead_letter"
	outcomeWatermark  = "watermark"
	outcomeRefused    = "dead_letter_refused"
)

type metrics struct {
	events   *prometheus.CounterVec
	letters  *prometheus.CounterVec
	batch    prometheus.Histogram
	lag      prometheus.GaugeFunc
	retries  prometheus.Counter
	failures prometheus.Counter
	inFlight prometheus.Gauge
	window   prometheus.Gauge
	request  prometheus.Histogram

	last    atomic.Int64 // lag of what was stored last, ns
	waiting atomic.Int64 // event time of the oldest batch that is not stored yet, Unix ns; 0: there is none
}

func newMetrics(now func() time.Time) *metrics {
	m := &metrics{
		events:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "im_index_events_total", Help: "Messages by what became of them: stored, existed (put before), dead_letter, watermark (not indexed), dead_letter_refused (the store did not take even the dead letter)."}, []string{"outcome"}),
		letters:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "im_index_dead_letters_total", Help: "Messages that became dead letters here, by reason."}, []string{"reason"}),
		batch:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_index_batch_seconds", Help: "Time until the store had the whole of a batch, repetitions included.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 15)}),
		retries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "im_index_retries_total", Help: "Documents put again because the store could not take them at the moment."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_index_put_failures_total", Help: "Calls of the store that failed as a whole and were repeated."}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_index_batches_in_flight", Help: "Batches on their way to the store."}),
		window:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_index_window_bytes", Help: "Bytes that may be on their way to the store at once: it follows what the store takes."}),
		request:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_index_request_seconds", Help: "Time of one call of the store that was answered.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 15)}),
	}
	m.lag = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "im_index_lag_seconds", Help: "Time from the newest event of the last batch to its being in the store; it grows while a batch waits for the store."}, func() float64 {
		lag := m.last.Load()
		if at := m.waiting.Load(); at != 0 {
			lag = max(lag, now().UnixNano()-at)
		}
		return time.Duration(lag).Seconds()
	})
	return m
}

// stored notes that what was newest at an event time is stored now.
func (m *metrics) stored(newest, now time.Time) {
	if !newest.IsZero() {
		m.last.Store(int64(now.Sub(newest)))
	}
}

// register makes the metrics known; r may be nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.events, m.letters, m.batch, m.lag, m.retries, m.failures, m.inFlight, m.window, m.request} {
		if err := r.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering a metric: %w", err))
		}
	}
	return errors.Join(errs...)
}
