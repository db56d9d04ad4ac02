package kafkabus

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the bus tells of itself. Two buses on one registry share them.
type metrics struct {
	produced   *prometheus.CounterVec
	retries    prometheus.Counter
	seconds    prometheus.Histogram
	fetched    *prometheus.CounterVec
	lag        *lags
	rebalances *prometheus.CounterVec
	commits    *prometheus.CounterVec
	failures   *prometheus.CounterVec
	skipped    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		produced: counters("im_bus_produced_messages_total", "Messages that the brokers have acknowledged.", "topic"),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "im_bus_produce_retries_total", Help: "Batches that were sent again after a failure.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "im_bus_produce_seconds", Help: "Time from a batch's turn to its acknowledgement, retries included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}),
		fetched:    counters("im_bus_fetched_messages_total", "Messages handed to consumers; group is empty without a group.", "topic", "group"),
		lag:        newLags(),
		rebalances: counters("im_bus_rebalances_total", "Generations of a consumer group that this process has joined.", "group"),
		commits:    counters("im_bus_commits_total", "Commits that the brokers have stored.", "group"),
		failures:   counters("im_bus_fetch_failures_total", "Fetches that failed and were tried again.", "topic", "group"),
		skipped:    counters("im_bus_offset_resets_total", "Times that a position was no longer there and reading began at the oldest message.", "topic", "group"),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(
		register(reg, &m.produced), register(reg, &m.retries), register(reg, &m.seconds), register(reg, &m.fetched),
		register(reg, &m.lag), register(reg, &m.rebalances), register(reg, &m.commits), register(reg, &m.failures),
		register(reg, &m.skipped))
}

// register puts *c into reg, or sets it to the one that is already there.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := there.ExistingCollector.(C); ok {
			*c = same
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("registering the bus's metrics: %w", err)
	}
	return nil
}
