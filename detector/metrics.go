package detector

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// maxNodeLabels bounds the nodes that late events are counted for by name: the log of a foreign server could name any.
const maxNodeLabels = 1000

type metrics struct {
	events      prometheus.Counter
	rejected    *prometheus.CounterVec // reason
	repeats     prometheus.Counter
	late        *prometheus.CounterVec // rule, node
	lag         prometheus.Gauge
	alerts      *prometheus.CounterVec // rule, state
	keys        *prometheus.GaugeVec   // rule
	overflow    *prometheus.CounterVec // rule
	checkpoint  prometheus.Histogram
	checkpoints *prometheus.CounterVec // outcome
	evaluation  prometheus.Histogram
	rules       *prometheus.GaugeVec // status
	refused     prometheus.Gauge
	texts       prometheus.Counter
	queries     *prometheus.CounterVec // rule, outcome
	differences *prometheus.CounterVec // rule, explained
	nodes       map[string]bool
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
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
		overflow:    counter("overflow_keys_total", "Events not counted because their rule had limits.keys keys already, by rule.", "rule"),
		checkpoint:  seconds("checkpoint_seconds", "Time to write a checkpoint."),
		checkpoints: counter("checkpoints_total", "Checkpoints written, by outcome.", "outcome"),
		evaluation:  seconds("evaluation_seconds", "Time to evaluate a batch of events."),
		rules:       gauge("rules", "Rules loaded, by status.", "status"),
		queries:     counter("query_runs_total", "Runs of the query evaluator, by rule and outcome.", "rule", "outcome"),
		differences: counter("evaluator_differences_total", "State changes that only one of the two evaluators of a rule with mode both saw; explained: late events tell why.", "rule", "explained"),
		nodes:       map[string]bool{},
	}
	events := counter("events_total", "Events read.")
	repeats := counter("repeated_events_total", "Events read again and not counted twice.")
	texts := counter("annotation_errors_total", "Alerts that went out with a text that could not be made.")
	lag := gauge("watermark_lag_seconds", "How far the watermark is behind the clock.")
	refused := gauge("rules_rejected", "Rules that were refused at the last loading.")
	m.events, m.repeats, m.texts = events.WithLabelValues(), repeats.WithLabelValues(), texts.WithLabelValues()
	m.lag, m.refused = lag.WithLabelValues(), refused.WithLabelValues()
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		events, m.rejected, repeats, m.late, lag, m.alerts, m.keys, m.overflow, m.checkpoint, m.checkpoints, m.evaluation, m.rules,
		refused, texts, m.queries, m.differences,
	} {
		if err := reg.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("registering the detector's metrics: %w", err))
		}
	}
	return m, errors.Join(errs...)
}

// node gives the label for a node.
func (m *metrics) node(name string) string {
	if !m.nodes[name] {
		if len(m.nodes) >= maxNodeLabels {
			return "_other"
		}
		m.nodes[name] = true
	}
	return name
}
