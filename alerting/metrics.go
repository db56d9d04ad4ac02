package alerting

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	alerts        *prometheus.CounterVec
	dropped       *prometheus.CounterVec
	redelivered   prometheus.Counter
	notifications *prometheus.CounterVec
	retries       *prometheus.CounterVec
	digests       *prometheus.CounterVec
	folded        *prometheus.CounterVec
	throttled     *prometheus.CounterVec
	held          *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	canary        prometheus.Histogram
	all           []prometheus.Collector
}

func newMetrics() *metrics {
	m := &metrics{
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_alerts_total",
			Help: "State changes of alerts that were kept, by state.",
		}, []string{"state"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_dropped_total",
			Help: "State changes that nobody was told, by reason: shadow, outdated, unrouted, unreadable (kept as dead letters), refused (by the store).",
		}, []string{"reason"}),
		redelivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "im_alerting_redelivered_total",
			Help: "State changes that came from the bus although they had been kept before.",
		}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_notifications_total",
			Help: "Attempts to notify by channel and result: accepted, partial, retry, unanswered, permanent, refresh (of a token); expired is a notification given up at its deadline.",
		}, []string{"channel", "result"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_retries_total",
			Help: "Attempts after the first one, by channel.",
		}, []string{"channel"}),
		digests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_digests_total",
			Help: "Messages that told several notifications at once, by channel and result.",
		}, []string{"channel", "result"}),
		folded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_folded_total",
			Help: "Notifications that were told in a digest, by channel; each attempt counts.",
		}, []string{"channel"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_throttled_total",
			Help: "Times that something due had to wait for the provider's budget, by channel.",
		}, []string{"channel"}),
		held: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_held_total",
			Help: "Notifications that were held back, by channel, reason (silenced, inhibited, acknowledged, over) and what became of them: pending, or superseded where they are not told at all.",
		}, []string{"channel", "reason", "state"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "im_alerting_latency_seconds",
			Help:    "Time from the moment of an alert's state change to its acceptance by the provider, by channel.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600},
		}, []string{"channel"}),
	}
	m.canary = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "im_alerting_canary_latency_seconds",
		Help:    "Time that canaries take the whole way, from the shipper through evaluation to alerting.",
		Buckets: []float64{0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 7.5, 10, 20, 30, 60, 120, 300},
	})
	for _, reason := range []string{"shadow", "outdated", "unrouted", "unreadable", "refused"} {
		m.dropped.WithLabelValues(reason)
	}
	for _, state := range []string{"firing", "updated", "resolved"} {
		m.alerts.WithLabelValues(state)
	}
	m.all = []prometheus.Collector{m.alerts, m.dropped, m.redelivered, m.notifications, m.retries, m.digests, m.folded, m.throttled, m.held, m.latency, m.canary}
	return m
}

// ages adds the gauges of how long ago something was heard of.
func (m *metrics) ages(w *watchman, now func() time.Time) {
	age := func(name, help string, since *atomic.Int64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return now().Sub(time.Unix(0, since.Load())).Seconds()
		}))
	}
	age("im_alerting_canary_age_seconds", "How long ago the newest canary was sent that has come the whole way; before the first, how long the process has been running.", &w.canary)
	age("im_alerting_detector_age_seconds", "How long ago a detector was last heard of; before the first time, how long the process has been running.", &w.pulse)
}

// pending adds the gauge of one receiver's waiting notifications.
func (m *metrics) pending(receiver string, length func() int) {
	m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "im_alerting_pending",
		Help: "Notifications decided and neither sent nor failed, by receiver.", ConstLabels: prometheus.Labels{"receiver": receiver},
	},
		func() float64 { return float64(length()) }))
}

func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	var errs []error
	for _, c := range m.all {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("registering the metrics of alerting: %w", err)
	}
	return nil
}
