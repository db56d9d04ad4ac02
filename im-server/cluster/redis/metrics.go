package redis

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the adapter tells of itself.
type metrics struct {
	seconds    *prometheus.HistogramVec // call
	failed     *prometheus.CounterVec   // call
	batch      prometheus.Histogram
	breaks     prometheus.Counter
	rewound    prometheus.Counter
	replayed   prometheus.Counter
	garbled    prometheus.Counter
	dropped    prometheus.Counter
	collectors []prometheus.Collector
}

func newMetrics(c *Cluster) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "im_cluster_redis_seconds", Help: "Time of calls to Redis, by what they do.", Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 11),
		}, []string{"call"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "im_cluster_redis_failures_total", Help: "Calls to Redis that failed since it could not be reached or could not serve.",
		}, []string{"call"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "im_cluster_publish_batch_messages", Help: "Messages published in one go.", Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		breaks:   counter("feed_breaks_total", "Times that the connection which messages come by broke."),
		rewound:  counter("rewound_topics_total", "Topics of which Redis had forgotten messages it had taken: it was restored from older data."),
		replayed: counter("journal_replayed_messages_total", "Messages that were put from the journal into Redis."),
		garbled:  counter("garbled_total", "What came from Redis and could not be read; another version of this program, or a foreign one, shares the prefix."),
		dropped:  counter("calls_dropped_total", "Questions of other nodes that were dropped since there were too many at once."),
	}
	m.collectors = []prometheus.Collector{
		m.seconds, m.failed, m.batch, m.breaks, m.rewound, m.replayed, m.garbled, m.dropped,
		gauge("breaker_state", "Circuit breaker of Redis: 0 closed, 1 half open, 2 open.", func() float64 {
			state, _ := c.breaker.now()
			return stateNumbers[state]
		}),
		gauge("journal_bytes", "Size of the journal.", func() float64 {
			if c.journal == nil {
				return 0
			}
			return float64(c.journal.Bytes())
		}),
		gauge("journal_messages", "Messages that wait in the journal for Redis.", func() float64 {
			if c.journal == nil {
				return 0
			}
			return float64(c.journal.Len())
		}),
		gauge("topics", "Topics that this node follows.", func() float64 { return float64(c.feed.topics()) }),
	}
	return m
}

func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	var errs []error
	for _, c := range m.collectors {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) took(call string, d time.Duration, err error) {
	m.seconds.WithLabelValues(call).Observe(d.Seconds())
	if unavailable(err) {
		m.failed.WithLabelValues(call).Inc()
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "im_cluster_" + name, Help: help})
}

func gauge(name, help string, f func() float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "im_cluster_" + name, Help: help}, f)
}
