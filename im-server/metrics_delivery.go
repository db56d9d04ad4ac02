package imserver

import (
	"github.com/prometheus/client_golang/prometheus"
)

// deliveryMetrics tell of sessions and messages.
type deliveryMetrics struct {
	pending        prometheus.Gauge
	settled        *prometheus.CounterVec // outcome
	acknowledged   prometheus.Counter     // of settled, as the next three
	failed         prometheus.Counter
	dropped        prometheus.Counter
	closed         prometheus.Counter
	retries        prometheus.Counter
	gaps           prometheus.Counter
	resumes        *prometheus.CounterVec // result
	publishSeconds prometheus.Histogram
	ackSeconds     prometheus.Histogram
}

func newDeliveryMetrics() deliveryMetrics {
	m := deliveryMetrics{
		pending: prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_server_messages_pending", Help: "Messages that wait for their sessions' acknowledgement."}),
		settled: counters("messages_settled_total", "Messages to sessions by what became of them: acknowledged, failed, dropped (a resume would not reach them), closed (the session ended).", "outcome"),
		retries: counter("messages_retries_total", "Times that a session was sent again what it had not acknowledged."),
		gaps:    counter("topic_gaps_total", "Messages that sessions could not be given any more."),
		resumes: counters("resumes_total", "Sessions that clients asked to resume, by result: success, or the reason why not.", "result"),
		publishSeconds: histogram("publish_seconds", "Time until a published message was safe, and so to its acknowledgement.",
			prometheus.ExponentialBuckets(0.00005, 4, 9)),
		ackSeconds: histogram("ack_seconds", "Time from a message's publication to the acknowledgement of a client, of the newest that it acknowledges.",
			prometheus.ExponentialBuckets(0.001, 4, 10)),
	}
	m.acknowledged, m.failed = m.settled.WithLabelValues("acknowledged"), m.settled.WithLabelValues("failed")
	m.dropped, m.closed = m.settled.WithLabelValues("dropped"), m.settled.WithLabelValues("closed")
	return m
}

func (m *deliveryMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.pending, m.settled, m.retries, m.gaps, m.resumes, m.publishSeconds, m.ackSeconds}
}

// settle counts messages that wait no more.
func (m *deliveryMetrics) settle(outcome prometheus.Counter, n int) {
	if n > 0 {
		m.pending.Sub(float64(n))
		outcome.Add(float64(n))
	}
}
