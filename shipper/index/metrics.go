package index

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/internal/bus"
)

// What becomes of a message.
const (
	outcomeStored     = "stored"
	outcomeExisted    = "existed"
	outcomeDeadLetter = "dead_letter"
	outcomeWatermark  = "watermark"
	outcomeRefused    = "dead_letter_refused"
)

// metrics is what is measured of an indexer: for Prometheus, and for those who ask for its status.
type metrics struct {
	now      func() time.Time
	events   *prometheus.CounterVec
	letters  *prometheus.CounterVec
	batch    prometheus.Histogram
	lag      prometheus.GaugeFunc
	lagLines prometheus.GaugeFunc
	lagBytes prometheus.GaugeFunc
	retries  prometheus.Counter
	failures prometheus.Counter
	inFlight prometheus.Gauge
	window   prometheus.Gauge
	request  prometheus.Histogram

	outcomes map[string]*outcome
	flying   struct{ batches, bytes atomic.Int64 }
	waiting  atomic.Int64 // when the first message of the oldest batch that is not stored was produced, Unix ns; 0: there is none
	indexed  struct{ messages, bytes atomic.Int64 }
	letter   atomic.Pointer[letter] // the last
	refused  atomic.Pointer[letter] // the last that the store did not take
	calls    calls
	backlog  *backlog
	canaries canaries
	probe    *probe // nil: what is searchable is not measured
}

// outcome counts what became the same.
type outcome struct {
	shown prometheus.Counter
	n     atomic.Int64
}

// letter is a dead letter and where its message was.
type letter struct {
	at             time.Time
	reason, detail string
	topic          string
	partition      int
	offset         int64
}

func newMetrics(now func() time.Time, b *backlog) *metrics {
	m := &metrics{
		now:      now,
		events:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "im_index_events_total", Help: "Messages by what became of them: stored, existed (put before), dead_letter, watermark (not indexed), dead_letter_refused (the store did not take even the dead letter)."}, []string{"outcome"}),
		letters:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "im_index_dead_letters_total", Help: "Messages that became dead letters here, by reason."}, []string{"reason"}),
		batch:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_index_batch_seconds", Help: "Time until the store had the whole of a batch, repetitions included.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 15)}),
		retries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "im_index_retries_total", Help: "Documents put again because the store could not take them at the moment."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_index_put_failures_total", Help: "Calls of the store that failed as a whole and were repeated."}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_index_batches_in_flight", Help: "Batches on their way to the store."}),
		window:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_index_window_bytes", Help: "Bytes that may be on their way to the store at once: it follows what the store takes."}),
		request:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_index_request_seconds", Help: "Time of one call of the store that was answered.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 15)}),
		outcomes: map[string]*outcome{}, backlog: b,
	}
	for _, name := range []string{outcomeStored, outcomeExisted, outcomeDeadLetter, outcomeWatermark, outcomeRefused} {
		m.outcomes[name] = &outcome{shown: m.events.WithLabelValues(name)}
	}
	gauge := func(name, help string, value func() float64) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.lag = gauge("im_index_lag_seconds", "Age of the oldest message that Kafka has acknowledged and the store does not have, in the partitions of this process; it grows with the clock whatever stands still.",
		func() float64 { return m.lagAge(now()).Seconds() })
	m.lagLines = gauge("im_index_lag_lines", "Messages that Kafka has acknowledged and the store does not have, in the partitions of this process.",
		func() float64 { return float64(m.backlog.look(now()).lines) })
	m.lagBytes = gauge("im_index_lag_bytes", "An estimate of their bytes, by the mean size of what was indexed.",
		func() float64 { return float64(m.estimate(m.backlog.look(now()).lines)) })
	return m
}

// count notes what became of n messages.
func (m *metrics) count(name string, n int) {
	o := m.outcomes[name]
	o.shown.Add(float64(n))
	o.n.Add(int64(n))
}

// lament counts a dead letter of a message.
func (m *metrics) lament(from bus.Message, reason, detail string) {
	m.letters.WithLabelValues(reason).Inc()
	m.letter.Store(&letter{m.now(), reason, detail, from.Topic, from.Partition, from.Offset})
}

// refuse counts a dead letter that the store did not take.
func (m *metrics) refuse(from bus.Message, reason string) {
	m.count(outcomeRefused, 1)
	m.refused.Store(&letter{m.now(), "rejected", reason, from.Topic, from.Partition, from.Offset})
}

// landed notes a batch that is stored and committed.
func (m *metrics) landed(b *batch) {
	m.indexed.messages.Add(int64(b.count))
	m.indexed.bytes.Add(int64(b.read))
	m.canaries.stored(b.commit, m.now())
}

// show says what is on its way, the oldest first.
func (m *metrics) show(flying []*batch) {
	m.inFlight.Set(float64(len(flying)))
	m.flying.batches.Store(int64(len(flying)))
	bytes, oldest := 0, int64(0)
	for _, b := range flying {
		bytes += b.bytes
		if oldest == 0 && b.count > 0 {
			at := b.produced
			if at.IsZero() {
				at = b.since
			}
			oldest = at.UnixNano()
		}
	}
	m.flying.bytes.Store(int64(bytes))
	m.waiting.Store(oldest)
}

// guess is how many bytes a message is taken to have before one was indexed.
const guess = 600

// estimate gives how many bytes so many messages are taken to have.
func (m *metrics) estimate(messages int64) int64 {
	mean := float64(guess)
	if n := m.indexed.messages.Load(); n > 0 {
		mean = float64(m.indexed.bytes.Load()) / float64(n)
	}
	return int64(float64(messages) * mean)
}

// lagAge is the age of the oldest message that is not stored.
func (m *metrics) lagAge(now time.Time) time.Duration {
	age := m.backlog.look(now).age
	if at := m.waiting.Load(); at != 0 { // all that is known where the bus does not tell
		age = max(age, now.Sub(time.Unix(0, at)))
	}
	return age
}

// register makes the metrics known; r may be nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	all := []prometheus.Collector{m.events, m.letters, m.batch, m.lag, m.lagLines, m.lagBytes, m.retries, m.failures, m.inFlight, m.window, m.request, newSongs(m)}
	if m.probe != nil {
		all = append(all, m.probe.gauge())
	}
	var errs []error
	for _, c := range all {
		if err := r.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering a metric: %w", err))
		}
	}
	return errors.Join(errs...)
}
