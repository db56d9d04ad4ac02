package imserver

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/event"
)

// metrics are what a server tells of itself.
type metrics struct {
	handshakes       *prometheus.CounterVec // result, stage, reason
	handshakeSeconds prometheus.Histogram
	disconnects      *prometheus.CounterVec // reason, initiator
	unclassified     prometheus.Counter
	beat             beatMetrics
	messages         *prometheus.CounterVec // direction
	in, out          prometheus.Counter     // of messages
	rejected         *prometheus.CounterVec // code
	abuse            *prometheus.CounterVec // kind
	slow             prometheus.Counter
	panics           prometheus.Counter
	delivery         deliveryMetrics
}

// newMetrics makes and registers the metrics, those that are read from s among them.
func newMetrics(reg prometheus.Registerer, s *Server) (*metrics, error) {
	m := &metrics{
		handshakes:       counters("handshakes_total", "Handshakes, by result (success, failure), stage and reason (ok, or a handshake reason).", "result", "stage", "reason"),
		handshakeSeconds: histogram("handshake_seconds", "Time from the request to the open connection.", prometheus.ExponentialBuckets(0.0001, 4, 9)),
		disconnects:      counters("disconnects_total", "Connections that ended, by close reason and initiator.", "reason", "initiator"),
		unclassified:     counter("unclassified_ends_total", "Ends by an error that is not known; a defect."),
		messages:         counters("messages_total", "Envelopes by direction: in, out.", "direction"),
		rejected:         counters("messages_rejected_total", "Envelopes that were refused, by error code.", "code"),
		abuse:            newAbuse(),
		slow:             counter("slow_consumers_total", "Connections whose send queue passed its limit."),
		panics:           counter("panics_total", "Panics that were caught; each is a defect."),
	}
	m.delivery = newDeliveryMetrics()
	m.in, m.out = m.messages.WithLabelValues("in"), m.messages.WithLabelValues("out")
	for _, r := range event.CloseReasons() {
		m.disconnects.WithLabelValues(r.Reason, r.Initiator)
	}
	collectors := []prometheus.Collector{
		m.handshakes, m.handshakeSeconds, m.disconnects, m.unclassified, m.messages, m.rejected, m.abuse, m.slow, m.panics,
		gauge("connections", "Connections by state.", prometheus.Labels{"state": "open"}, func() float64 { return float64(s.hub.count()) }),
		gauge("connections", "Connections by state.", prometheus.Labels{"state": "handshake"}, func() float64 { return float64(s.pending.Load()) }),
		gauge("sessions", "Sessions, those without a connection included.", nil, func() float64 { return float64(s.sessions.count()) }),
		gauge("send_queue_bytes", "Bytes waiting to be sent to all clients.", nil, func() float64 { return float64(max(0, s.queuedBytes.Load())) }),
	}
	var errs []error
	for _, c := range slices.Concat(collectors, m.beat.make(s), m.delivery.collectors(), s.log.Collectors(), s.reloading.collectors(), s.watch.collectors(), s.documents.collectors(s), s.packing.collectors()) {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "im_server_" + name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "im_server_" + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "im_server_" + name, Help: help, Buckets: buckets})
}

func gauge(name, help string, labels prometheus.Labels, f func() float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "im_server_" + name, Help: help, ConstLabels: labels}, f)
}
