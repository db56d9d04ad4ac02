package shipper

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/shipper/parse/geo"
)

// The results of a line.
const (
	resultShipped    = "shipped"
	resultDeadLetter = "dead_letter"
	resultEmpty      = "empty"
)

// What happens to identities.
const (
	identityTaken   = "taken"
	identityRefused = "refused"
)

// maxFileLabels bounds the files that are shown by name; the rest are added up as "other".
const maxFileLabels = 100

type metrics struct {
	lines       *prometheus.CounterVec
	bytes       prometheus.Counter
	behind      *prometheus.GaugeVec
	produce     prometheus.Histogram
	failures    prometheus.Counter
	canaries    prometheus.Counter
	zeros       prometheus.Counter
	syslog      *prometheus.CounterVec
	requests    *prometheus.CounterVec
	read        *prometheus.CounterVec
	redactions  *prometheus.CounterVec
	lookups     *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	checkpoints *prometheus.CounterVec
	queueBytes  prometheus.Gauge
	entries     prometheus.Gauge
	blocked     prometheus.Counter
	queueErrors prometheus.Counter
	identities  *prometheus.CounterVec
	recovered   prometheus.Counter
	dropped     *prometheus.CounterVec
	open        prometheus.Gauge
	lagLines    prometheus.Gauge
	lagBytes    prometheus.Gauge
	lag         atomic.Pointer[logsLag] // nil before the first look
	done        struct{ lines, bytes atomic.Int64 }
	oldest      atomic.Int64    // when the oldest entry was sealed, Unix ns; 0: there is none
	shown       map[string]bool // the file labels in use; owned by the reader
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		lines:    counter("im_shipper_lines_total", "Lines that the broker has acknowledged, by result: shipped, dead_letter; and empty ones.", "result"),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_bytes_total", Help: "Bytes of records that the broker has acknowledged."}),
		behind:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "im_shipper_bytes_behind", Help: "Bytes of a log and its rotated files that are not acknowledged yet."}, []string{"file"}),
		produce:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_shipper_produce_seconds", Help: "Time from sealing a batch to its acknowledgement.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_produce_failures_total", Help: "Attempts to send that failed and are repeated."}),
		canaries: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_canaries_total", Help: "Canaries that the broker has acknowledged."}),
		zeros:    prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_zero_bytes_total", Help: "Bytes 0 in front of lines that were passed by, which truncations and losses of power leave."}),
		syslog:   counter("im_shipper_syslog_trouble_total", "Syslog messages and connections that were not, or not wholly, taken: dropped and cut messages, unframed and refused connections.", "source", "what"),
		requests: counter("im_shipper_http_requests_total", "Requests of the HTTP inputs, by status.", "source", "status"),

		deadLetters: counter("im_shipper_dead_letters_total", "Lines that became dead letters, by reason.", "reason"),
		checkpoints: counter("im_shipper_checkpoints_total", "Checkpoints written, by result: ok, failed.", "result"),
		read:        counter("im_shipper_read_lines_total", "Lines read and parsed, again after a restart too, by source and result: event, dead_letter, sampled, ignored, empty, cut.", "source", "result"),
		redactions:  counter("im_shipper_redactions_total", "Values taken out of events and of the originals of dead letters, by what was done: mask, hash, drop.", "do"),
		lookups:     counter("im_shipper_geo_lookups_total", "Addresses looked up in the databases, by result: found, missing, failed.", "result"),
		queueBytes:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_shipper_queue_bytes", Help: "Bytes on disk that the broker has not acknowledged."}),
		entries:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_shipper_queue_entries", Help: "Entries that the broker has not acknowledged."}),
		blocked:     prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_queue_blocked_seconds_total", Help: "Time during which nothing was read because the queue was full or could not be written."}),
		queueErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_queue_errors_total", Help: "Failures of the disk below the queue; what failed is repeated."}),
		identities:  counter("im_shipper_identities_total", "Producer ids, by result: taken, refused (the brokers have forgotten one: the last lines may be there twice).", "result"),
		recovered:   prometheus.NewCounter(prometheus.CounterOpts{Name: "im_shipper_recovered_entries_total", Help: "Entries found in the queue at the start."}),
		dropped:     counter("im_shipper_dropped_lines_total", "Lines dropped because the queue was full and queue.full says so, by level; dead_letter: dead letters.", "level"),
		open:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_shipper_open_files", Help: "Log files that are open."}),
		lagLines:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_shipper_lag_lines", Help: "Lines in the logs that the broker has not acknowledged, by the mean length of each log's lines."}),
		lagBytes:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_shipper_lag_bytes", Help: "Bytes of whole lines in the logs that the broker has not acknowledged."}),
		shown:       map[string]bool{},
	}
	for _, level := range append(levels(), levelOther, resultDeadLetter) { // from the beginning: the first drop is an increase
		m.dropped.WithLabelValues(level)
	}
	return m
}

// stageCounts gives what the stages tell.
func (m *metrics) stageCounts() stageCounts {
	found := m.lookups.WithLabelValues(geo.Found) // one for each line: found once
	return stageCounts{
		redacted: func(do string) { m.redactions.WithLabelValues(do).Inc() },
		looked: func(result string) {
			if result == geo.Found {
				found.Inc()
				return
			}
			m.lookups.WithLabelValues(result).Inc()
		},
	}
}

// register makes the metrics known; r may be nil.
func (m *metrics) register(r prometheus.Registerer, more ...prometheus.Collector) error {
	if r == nil {
		return nil
	}
	var errs []error
	all := []prometheus.Collector{
		m.lines, m.bytes, m.behind, m.produce, m.failures, m.canaries, m.zeros, m.syslog, m.requests, m.deadLetters, m.checkpoints,
		m.read, m.redactions, m.lookups, m.queueBytes, m.entries, m.blocked, m.queueErrors, m.identities, m.recovered, m.dropped, m.open,
		m.lagLines, m.lagBytes,
	}
	for _, c := range append(all, more...) {
		if err := r.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering a metric: %w", err))
		}
	}
	return errors.Join(errs...)
}

// age is how long the oldest entry has been waiting.
func (m *metrics) age(now time.Time) time.Duration {
	at := m.oldest.Load()
	if at == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, at)))
}

// setBehind shows how far each file is behind, and takes away those that are no more.
func (m *metrics) setBehind(behind map[string]int64) {
	other := int64(0)
	for file := range m.shown {
		if _, there := behind[file]; !there {
			m.behind.DeleteLabelValues(file)
			delete(m.shown, file)
		}
	}
	for file, n := range behind {
		if !m.shown[file] && len(m.shown) >= maxFileLabels {
			other += n
			continue
		}
		m.shown[file] = true
		m.behind.WithLabelValues(file).Set(float64(n))
	}
	if len(behind) > len(m.shown) {
		m.behind.WithLabelValues("other").Set(float64(other))
	}
}
