// Package kafkabus is the bus on Kafka's protocol, by segmentio/kafka-go. Real clusters and the embedded broker are
// both reached through it.
//
// It uses kafka-go's Client and ConsumerGroup, not its Writer and Reader: the Writer waits for batches to fill,
// forgets about a moved leader for seconds and gives up after some tries; the Reader hands out messages of partitions
// that it has lost. Here a partition has one request under way at a time, each call's messages are their own batches,
// and what can be tried again is tried again, with fresh metadata, until the caller's context ends.
//
// Sealed batches are sent as their bytes with a producer id and sequence numbers, which kafka-go's own producers never
// set, so that the brokers drop what comes twice.
//
// It leaves out: idempotence for what is not sealed, transactions (what crosses the bus carries ids of its own), and
// reading what others wrote in aborted transactions differently from the rest.
package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

var _ bus.Bus = (*Bus)(nil)

// Bus is a connection to a Kafka cluster. Make one with New and Close it. It is safe for concurrent use.
type Bus struct {
	cfg       Config
	log       logrus.FieldLogger
	metrics   *metrics
	encoder   *recordbatch.Encoder
	conns     *conns
	transport *kafka.Transport
	client    *kafka.Client
	dialer    kafka.Dialer       // how consumer groups connect; their own DialFunc is set per group
	ctx       context.Context    // the bus's life
	end       context.CancelFunc // ends it
	keyless   atomic.Uint64      // messages without a key go round the partitions
	warned    limiter

	watchEvery time.Duration // how often a consumer's topics are looked at for new partitions
	endsEvery  time.Duration // how often a consumer asks for the ends of its partitions

	mu        sync.Mutex
	closed    bool
	lanes     map[place]*lane
	known     map[string]bool // topics that have been there
	refreshed time.Time
	consumers map[*consumer]struct{}
}

// place is one partition of one topic.
type place struct {
	topic     string
	partition int
}

// New makes a bus on the brokers of cfg without connecting yet: brokers that are away are waited for by the calls that
// need them, each until its context ends (Ping does not wait). reg may be nil. It returns an error for a bad
// configuration only.
func New(cfg Config, log logrus.FieldLogger, reg prometheus.Registerer) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka settings: %w", err)
	}
	tlsConfig, err := cfg.TLS.load()
	if err != nil {
		return nil, fmt.Errorf("kafka settings: %w", err)
	}
	auth, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("kafka settings: %w", err)
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	const dialTimeout = 5 * time.Second
	ctx, end := context.WithCancel(context.Background())
	b := &Bus{
		watchEvery: 10 * time.Second, endsEvery: endsEvery,
		cfg: cfg, log: log, metrics: m, encoder: recordbatch.NewEncoder(recordbatch.Codec(codecs()[cfg.Compression]), cfg.MaxMessageBytes), conns: newConns(dialTimeout), ctx: ctx, end: end,
		lanes: map[place]*lane{}, known: map[string]bool{}, consumers: map[*consumer]struct{}{},
	}
	b.transport = &kafka.Transport{
		Dial: b.conns.dial, DialTimeout: dialTimeout, ClientID: cfg.ClientID, TLS: tlsConfig, SASL: auth, Context: ctx,
	}
	b.client = &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Timeout: cfg.RequestTimeout, Transport: b.transport}
	b.dialer = kafka.Dialer{ClientID: cfg.ClientID, Timeout: dialTimeout, TLS: tlsConfig, SASLMechanism: auth}
	return b, nil
}

// Ping asks any broker which requests it knows, once; see bus.Bus.
func (b *Bus) Ping(ctx context.Context) error {
	if b.ctx.Err() != nil {
		return fmt.Errorf("pinging the brokers: %w", bus.ErrClosed)
	}
	_, err := b.client.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err != nil && ctx.Err() == nil && !permanent(err) {
		// The connection may only have been one from before the broker's restart.
		b.refresh()
		_, err = b.client.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	}
	if err != nil {
		return fmt.Errorf("pinging the brokers %v: %w", b.cfg.Brokers, err)
	}
	return nil
}

// refresh forgets what is known of the cluster, its idle connections included: the next request connects and asks
// anew. kafka-go offers no other way to ask before its cache expires. It does nothing if that was just done, since
// all partitions of a broker notice together that it has gone.
func (b *Bus) refresh() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.refreshed) >= minRefresh {
		b.refreshed = now
		b.transport.CloseIdleConnections()
	}
}

const minRefresh = 50 * time.Millisecond

// Close ends all consumers, which leave their groups, and severs all connections. Calls under way return an error. It
// may be called more than once.
func (b *Bus) Close() error {
	b.mu.Lock()
	b.closed = true
	open := make([]*consumer, 0, len(b.consumers))
	for c := range b.consumers {
		open = append(open, c)
	}
	b.mu.Unlock()
	errs := make([]error, len(open))
	var wg sync.WaitGroup
	for i, c := range open {
		wg.Go(func() { errs[i] = c.Close() })
	}
	wg.Wait()
	b.end()
	b.conns.close()
	b.transport.CloseIdleConnections()
	return errors.Join(errs...)
}
