package imserver

import (
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/im-server/ops"
	"imwatch/im-server/protocol"
)

// watch is what a server looks at from time to time to tell of it: its queues, and whether it holds more sockets than it
// has connections.
type watch struct {
	s       *Server
	dropped uint64 // events that connection_stats has told of; owned by who writes it
	// notBefore is when sockets may be counted again; owned by who keeps house.
	notBefore time.Time

	sockets   atomic.Int64 // of clients, that the system knows; unknown: -1
	leaked    atomic.Int64 // sockets without a connection
	queues    atomic.Int64 // connections that something waits for
	longest   atomic.Int64 // bytes that wait for the one with the most
	closing   atomic.Int64
	envelopes *prometheus.CounterVec // direction, type
	in, out   map[protocol.Type]prometheus.Counter
	invalid   prometheus.Counter
	sizes     prometheus.Histogram
	writes    prometheus.Histogram
}

// socketsEvery is the time between two counts of sockets: a count reads the system's whole table.
const socketsEvery = 30 * time.Second

func newWatch(s *Server) *watch {
	sizes := prometheus.ExponentialBuckets(64, 4, 9)
	w := &watch{
		s:         s,
		envelopes: counters("envelopes_total", "Envelopes by direction (in, out) and type.", "direction", "type"),
		sizes:     histogram("message_bytes", "Size of a message from a client.", sizes),
		writes:    histogram("write_bytes", "Bytes of one write to a client; several messages go together.", sizes),
		in:        map[protocol.Type]prometheus.Counter{}, out: map[protocol.Type]prometheus.Counter{},
	}
	for _, t := range protocol.Types() {
		w.in[t], w.out[t] = w.envelopes.WithLabelValues("in", string(t)), w.envelopes.WithLabelValues("out", string(t))
	}
	w.invalid = w.envelopes.WithLabelValues("in", "invalid")
	w.sockets.Store(-1)
	return w
}

func (w *watch) collectors() []prometheus.Collector {
	by := func(name string) prometheus.Labels { return prometheus.Labels{"by": name} }
	number := func(n *atomic.Int64) func() float64 { return func() float64 { return float64(n.Load()) } }
	known := func(n *atomic.Int64) func() float64 {
		return func() float64 {
			if w.sockets.Load() < 0 {
				return math.NaN()
			}
			return float64(n.Load())
		}
	}
	const imbalance = "By count: connects less ends less open connections. By fd: sockets of clients less those that are accounted for. Other than 0 for long is a defect."
	return []prometheus.Collector{
		w.envelopes, w.sizes, w.writes,
		gauge("connections", "Connections by state.", prometheus.Labels{"state": "closing"}, number(&w.closing)),
		gauge("connections", "Connections by state.", prometheus.Labels{"state": "http"}, func() float64 { return float64(w.s.accept.Pending()) }),
		gauge("connections", "Connections by state.", prometheus.Labels{"state": "early"}, func() float64 { return float64(len(w.s.hub.waiting())) }),
		gauge("connection_imbalance", imbalance, by("count"), w.s.imbalance),
		gauge("connection_imbalance", imbalance, by("fd"), known(&w.leaked)),
		gauge("connection_sockets", "Sockets of clients that the system knows, listeners apart; NaN where it does not say.", nil, known(&w.sockets)),
		gauge("send_queues", "Connections that something waits to be sent to.", nil, number(&w.queues)),
		gauge("send_queue_longest_bytes", "Bytes that wait for the client with the most.", nil, number(&w.longest)),
		gauge("certificate_end_seconds", "When the certificate ends that clients are shown, in seconds since 1970; NaN without TLS.", nil, func() float64 {
			if end := w.s.certificateEnd(); !end.IsZero() {
				return float64(end.Unix())
			}
			return math.NaN()
		}),
		gauge("drain_left", "Connections that a draining node still has; 0 if it does not drain.", nil, func() float64 { return float64(w.s.drainLeft()) }),
	}
}

// received counts an envelope of a client.
func (w *watch) received(t protocol.Type, size int) {
	w.sizes.Observe(float64(size))
	if n := w.in[t]; n != nil {
		n.Inc()
		return
	}
	w.invalid.Inc()
}

// wrote counts one write to a client, of so many messages with a number.
func (w *watch) wrote(messages, bytes int) {
	w.out[protocol.TypeMessage].Add(float64(messages))
	w.writes.Observe(float64(bytes))
}

// look goes through the connections.
func (w *watch) look() {
	var queues, longest, closing int64
	for c := range snapshots(w.s.hub.all()) {
		if c.Bytes > 0 {
			queues++
			longest = max(longest, int64(c.Bytes))
		}
		if c.State == ops.StateClosing {
			closing++
		}
	}
	w.queues.Store(queues)
	w.longest.Store(longest)
	w.closing.Store(closing)
}

// countSocketsAtEase is countSockets, for at most one percent of a core.
func (w *watch) countSocketsAtEase() {
	began := time.Now() // what it costs is of this machine, not of the server's clock
	if began.Before(w.notBefore) {
		return
	}
	w.countSockets()
	w.notBefore = time.Now().Add(100 * time.Since(began))
}

// countSockets compares what the system says with what the server knows. While connections come and go the two are read
// at different moments: only a difference that stays means something.
func (w *watch) countSockets() {
	tcp, ok := w.s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return
	}
	n, err := clientSockets(tcp.Port)
	if err != nil {
		w.sockets.Store(-1)
		return
	}
	w.sockets.Store(int64(n))
	w.leaked.Store(int64(n) - int64(w.s.accept.Pending()) - int64(w.s.hub.count()) - int64(len(w.s.hub.waiting())))
}
