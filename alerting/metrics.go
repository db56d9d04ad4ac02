package alerting

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"

	"github.com/prometheus/client_golang/prometheus"
)

// expired is the result of a notification that was given up at its deadline.
const expired = "expired"

type metrics struct {
	alerts        *prometheus.CounterVec
	dropped       *prometheus.CounterVec
	redelivered   prometheus.Counter
	notifications *prometheus.CounterVec
	retries       *prometheus.CounterVec
	digests       *prometheus.CounterVec
	folded        *prometheus.CounterVec
	groups        *prometheus.CounterVec
	grouped       *prometheus.CounterVec
	throttled     *prometheus.CounterVec
	throttledFor  *prometheus.CounterVec
	logins        *prometheus.CounterVec
	held          *prometheus.CounterVec
	escalations   *prometheus.CounterVec
	gaps          *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	firstLine     *prometheus.HistogramVec
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
		groups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_groups_total",
			Help: "Messages that told several notifications of one group, by channel and result.",
		}, []string{"channel", "result"}),
		grouped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_grouped_total",
			Help: "Notifications that were told together with others of their group, by channel; each attempt counts.",
		}, []string{"channel"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_throttled_total",
			Help: "Times that something due had to wait for the provider's budget, by channel.",
		}, []string{"channel"}),
		throttledFor: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_throttled_seconds_total",
			Help: "Time during which something due waited for the provider's budget, by channel.",
		}, []string{"channel"}),
		held: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_held_total",
			Help: "Notifications that were held back, by channel, reason (silenced, inhibited, flapping, acknowledged, over) and what became of them: pending, or superseded where they are not told at all.",
		}, []string{"channel", "reason", "state"}),
		escalations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_escalations_total",
			Help: "Notifications by which alerts were passed on, by channel.",
		}, []string{"channel"}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_alerting_oncall_nobody_total",
			Help: "Times that an alert would have gone to whoever is on call and nobody was, by schedule.",
		}, []string{"schedule"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "im_alerting_latency_seconds",
			Help:    "Time from the moment of an alert's state change to its acceptance by the provider, by channel.",
			Buckets: latencies(),
		}, []string{"channel"}),
		firstLine: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "im_alerting_first_line_seconds",
			Help:    "Time from an alert's first line (im.alert.from) to the acceptance of its first notification by the provider, by channel. What was held back is not in it.",
			Buckets: latencies(),
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
	m.logins = newLogins()
	m.all = []prometheus.Collector{m.logins, m.alerts, m.dropped, m.redelivered, m.notifications, m.retries, m.digests, m.folded, m.groups, m.grouped, m.throttled, m.throttledFor, m.held, m.escalations, m.gaps, m.latency, m.firstLine, m.canary}
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

// flapping adds the gauge of what flaps.
func (m *metrics) flapping(count func() int) {
	m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "im_alerting_flapping",
		Help: "Keys of rules that flap: they fire so often that it is not told each time.",
	}, func() float64 { return float64(count()) }))
}

// latencies are the buckets of the times in which people are told.
func latencies() []float64 {
	return []float64{0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600}
}

// receiver adds the gauges of one receiver's waiting notifications, and has what fails by its kind of channel counted from
// 0 on: of a series that begins at 1, Prometheus sees no increase.
func (m *metrics) receiver(receiver, kind string, look func() deliver.Waiting, now func() time.Time) {
	for _, result := range []string{channel.Permanent.String(), expired} {
		m.notifications.WithLabelValues(kind, result)
	}
	gauge := func(name, help string, value func(deliver.Waiting) float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{"receiver": receiver},
		}, func() float64 { return value(look()) }))
	}
	age := func(since time.Time) float64 {
		if since.IsZero() {
			return 0
		}
		return max(0, now().Sub(since).Seconds())
	}
	gauge("im_alerting_pending", "Notifications decided and neither sent nor failed, by receiver; those held back are not counted.",
		func(w deliver.Waiting) float64 { return float64(w.Count) })
	gauge("im_alerting_pending_age_seconds", "How long ago the oldest pending notification was decided, by receiver; 0: there is none. Those held back are not looked at.",
		func(w deliver.Waiting) float64 { return age(w.Oldest) })
	gauge("im_alerting_holding", "Notifications held back now by a silence, another alert or an acknowledgement, by receiver.",
		func(w deliver.Waiting) float64 { return float64(w.Held) })
	gauge("im_alerting_holding_age_seconds", "How long ago the oldest notification held back now was decided, by receiver; 0: there is none.",
		func(w deliver.Waiting) float64 { return age(w.Since) })
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
