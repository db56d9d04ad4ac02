package index

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/event"
)

// Config says how events are brought into the store. Start from DefaultConfig.
type Config struct {
	Sinks           []string      `yaml:"sinks" doc:"where events are brought: elasticsearch (with up: the embedded store), parquet, clickhouse; each on its own, with a consumer group of its own"`
	Group           string        `yaml:"group" doc:"consumer group; indexers with the same one share the work. The sinks beside elasticsearch append their name"`
	BatchDocs       int           `yaml:"batch_docs" doc:"most documents put at once"`
	BatchBytes      int           `yaml:"batch_bytes" doc:"most bytes put at once; how many of them, and how many batches at once, follows what the store takes"`
	BatchDelay      time.Duration `yaml:"batch_delay" doc:"how long the first event of a batch waits for more"`
	InFlight        int           `yaml:"in_flight" doc:"most batches on their way to the store at once"`
	LatencyTarget   time.Duration `yaml:"latency_target" doc:"a call of the store that takes longer makes less be sent at once"`
	RetryMin        time.Duration `yaml:"retry_min" doc:"wait before the first repetition of what the store could not take; it doubles each time"`
	RetryMax        time.Duration `yaml:"retry_max" doc:"longest wait between repetitions"`
	LagBound        time.Duration `yaml:"lag_bound" doc:"from what age on of the oldest message that Kafka has acknowledged and the store does not have the log tells how catching up goes, and imwatch index status says that the indexer is unhealthy; for sinks that write chunks their age comes on top"`
	ProbeInterval   time.Duration `yaml:"probe_interval" doc:"how often a document that was just stored is looked for in Elasticsearch until a search finds it; it keeps an index that nobody else searches awake for half a minute each time. 0: never"`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout" doc:"how long a stop waits for the store; what is missing then is indexed at the next start"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Sinks: []string{SinkElasticsearch}, Group: "imwatch-indexer", BatchDocs: 5000, BatchBytes: 5 << 20, BatchDelay: 200 * time.Millisecond, InFlight: 3,
		LatencyTarget: 2 * time.Second, RetryMin: 100 * time.Millisecond, RetryMax: 10 * time.Second,
		LagBound: 30 * time.Second, ProbeInterval: time.Minute, ShutdownTimeout: 10 * time.Second,
	}
}

// leastProbe is the least time between two probes.
const leastProbe = time.Second

// What Config.Sinks may name.
const (
	SinkElasticsearch = "elasticsearch"
	SinkParquet       = "parquet"
	SinkClickHouse    = "clickhouse"
)

// For gives the configuration of one sink's indexer.
func (c Config) For(sink string) Config {
	c.Sinks = []string{sink}
	if sink != SinkElasticsearch {
		c.Group += "-" + sink
	}
	return c
}

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Group == "" {
		bad("group: a name is needed")
	}
	known := []string{SinkElasticsearch, SinkParquet, SinkClickHouse}
	if len(c.Sinks) == 0 {
		bad("sinks: at least one of %s is needed", strings.Join(known, ", "))
	}
	for i, s := range c.Sinks {
		switch near := event.Nearest(s, known); {
		case slices.Index(c.Sinks, s) < i:
			bad("sinks[%d]: %s is named twice", i, s)
		case slices.Contains(known, s):
		case near != "":
			bad("sinks[%d]: %q is not one of %s; did you mean %s?", i, s, strings.Join(known, ", "), near)
		default:
			bad("sinks[%d]: %q is not one of %s", i, s, strings.Join(known, ", "))
		}
	}
	for _, n := range []struct {
		key      string
		n        int
		min, max int
	}{
		{"batch_docs", c.BatchDocs, 1, 100_000}, {"batch_bytes", c.BatchBytes, 1 << 10, 90 << 20}, {"in_flight", c.InFlight, 1, 64},
	} {
		if n.n < n.min || n.n > n.max {
			bad("%s: %d is not between %d and %d", n.key, n.n, n.min, n.max)
		}
	}
	for _, d := range []struct {
		key string
		d   time.Duration
	}{
		{"batch_delay", c.BatchDelay}, {"latency_target", c.LatencyTarget}, {"retry_min", c.RetryMin}, {"retry_max", c.RetryMax}, {"lag_bound", c.LagBound}, {"shutdown_timeout", c.ShutdownTimeout},
	} {
		if d.d <= 0 {
			bad("%s: %s is not above 0", d.key, d.d)
		}
	}
	if c.ProbeInterval != 0 && c.ProbeInterval < leastProbe {
		bad("probe_interval: %s is neither 0 nor at least %s", c.ProbeInterval, leastProbe)
	}
	if c.RetryMax < c.RetryMin {
		bad("retry_max: %s is below retry_min, %s", c.RetryMax, c.RetryMin)
	}
	return errors.Join(errs...)
}
