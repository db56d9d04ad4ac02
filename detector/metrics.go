package detector

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/detector/window"
)

// maxNodeLabels bounds the nodes that late events are counted for by name: the log of a foreign server could name any.
const maxNodeLabels = 1000

type metrics struct {
	events      prometheus.Counter
	rejected    *prometheus.CounterVec // reason
	repeats     prometheus.Counter
	late        *prometheus.CounterVec // rule, node
	mark        atomic.Int64           // the watermark; window.None before the first
	behind      *prometheus.GaugeVec   // partition
	alerts      *prometheus.CounterVec // rule, state
	keys        *prometheus.GaugeVec   // rule
	overflow    *prometheus.CounterVec // rule
	lost        *prometheus.CounterVec // rule
	checkpoint  prometheus.Histogram
	checkpoints *prometheus.CounterVec // outcome
	evaluation  prometheus.Histogram
	rules       *prometheus.GaugeVec // status
	refused     prometheus.Gauge
	texts       prometheus.Counter
	queries     *prometheus.CounterVec // rule, outcome
	differences *prometheus.CounterVec // rule, explained
	mu          sync.Mutex
	nodes       map[string]bool // guarded by mu

	ruleEvents      *prometheus.CounterVec // rule, as all that follow
	looks           *prometheus.CounterVec
	stateBytes      *prometheus.GaugeVec
	cost            *prometheus.GaugeVec
	queryKeys       *prometheus.CounterVec
	queryCandidates *prometheus.CounterVec
	queryEvents     *prometheus.CounterVec
	queryLate       *prometheus.CounterVec

	canaries prometheus.Counter
	canary   atomic.Int64 // when the newest one that came through was sent; the start before the first
}

func newMetrics(reg prometheus.Registerer, now func() time.Time) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "im_detector_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "im_detector_" + name, Help: help}, labels)
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "im_detector_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		})
	}
	m := &metrics{
		rejected:    counter("rejected_events_total", "Records that are no usable event, by reason.", "reason"),
		late:        counter("late_events_total", "Events that came after the watermark had passed them, by rule that wanted them and node.", "rule", "node"),
		alerts:      counter("alerts_total", "State changes produced, by rule and state.", "rule", "state"),
		keys:        gauge("keys", "Keys with state, by rule.", "rule"),
		overflow:    counter("overflow_keys_total", "Keys for which limits.keys left no room, by rule: they shared a sketch or were kept for a while.", "rule"),
		lost:        counter("overflow_lost_total", "Events not taken in, and keys given up, for want of any room past limits.keys, by rule.", "rule"),
		checkpoint:  seconds("checkpoint_seconds", "Time to write a checkpoint."),
		checkpoints: counter("checkpoints_total", "Checkpoints written, by outcome.", "outcome"),
		evaluation:  seconds("evaluation_seconds", "Time to evaluate a batch of events."),
		rules:       gauge("rules", "Rules loaded, by status.", "status"),
		queries:     counter("query_runs_total", "Runs of the query evaluator, by rule and outcome.", "rule", "outcome"),
		differences: counter("evaluator_differences_total", "State changes that only one of the two evaluators of a rule with mode both saw; explained: late events tell why.", "rule", "explained"),
		nodes:       map[string]bool{},

		behind:          gauge("lag_messages", "Messages that were not read yet, by partition.", "partition"),
		ruleEvents:      counter("rule_events_total", "Events that a rule took in, by rule.", "rule"),
		looks:           counter("evaluations_total", "Looks at the condition of a key, by rule.", "rule"),
		stateBytes:      gauge("state_bytes", "Memory of the state, by rule: an estimate from some of its keys.", "rule"),
		cost:            gauge("rule_event_seconds", "Average time to take an event in, by rule, of one in 64.", "rule"),
		queryKeys:       counter("query_keys_total", "Keys that the aggregation of queries looked at, by rule.", "rule"),
		queryCandidates: counter("query_candidates_total", "Keys whose events queries fetched, by rule.", "rule"),
		queryEvents:     counter("query_events_total", "Events that queries fetched, by rule.", "rule"),
		queryLate:       counter("query_late_documents_total", "Documents that queries found after they had passed their time, by rule.", "rule"),
	}
	events := counter("events_total", "Events read.")
	repeats := counter("repeated_events_total", "Events read again and not counted twice.")
	texts := counter("annotation_errors_total", "Alerts that went out with a text that could not be made.")
	m.mark.Store(window.None)
	lag := m.age("watermark_lag_seconds", "How far the watermark is behind the clock.", &m.mark, now)
	m.canary.Store(now().UnixNano())
	canaryAge := m.age("canary_age_seconds", "How long ago the newest canary was sent that came through evaluation; before the first, how long the detector has been running.", &m.canary, now)
	canaries := counter("canaries_total", "Canaries that came through evaluation.")
	m.canaries = canaries.WithLabelValues()
	refused := gauge("rules_rejected", "Rules that were refused at the last loading.")
	m.events, m.repeats, m.texts = events.WithLabelValues(), repeats.WithLabelValues(), texts.WithLabelValues()
	m.refused = refused.WithLabelValues()
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		events, m.rejected, repeats, m.late, lag, m.alerts, m.keys, m.overflow, m.lost, m.checkpoint, m.checkpoints, m.evaluation, m.rules,
		refused, texts, m.queries, m.differences,
		m.behind, m.ruleEvents, m.looks, m.stateBytes, m.cost, m.queryKeys, m.queryCandidates, m.queryEvents, m.queryLate, canaries, canaryAge,
	} {
		if err := reg.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering the detector's metrics: %w", err))
		}
	}
	return m, errors.Join(errs...)
}

// age makes a gauge of how long ago an instant was, which grows also while the loop waits for something; 0 for
// window.None.
func (m *metrics) age(name, help string, since *atomic.Int64, now func() time.Time) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "im_detector_" + name, Help: help}, func() float64 {
		at := since.Load()
		if at == window.None {
			return 0
		}
		return now().Sub(time.Unix(0, at)).Seconds()
	})
}

// node gives the label for a node. Safe for concurrent use.
func (m *metrics) node(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.nodes[name] {
		if len(m.nodes) >= maxNodeLabels {
			return "_other"
		}
		m.nodes[name] = true
	}
	return name
}
