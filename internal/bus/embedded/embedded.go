// Package embedded is a broker inside the process, with its data in a directory, and the bus on it.
//
// It is franz-go's kfake behind a port on 127.0.0.1, reached through kafkabus like a real cluster, so that one machine
// needs no other program and no stage can tell. What was acknowledged survives the death of the process and, with
// Config.Sync, a power failure. It has one node, one goroutine and no replication: for small sites, trials and
// development; beyond some 50,000 messages a second use Kafka.
//
// Its space is bounded without losing anything: a topic over its size loses its oldest messages only as far as every
// group that consumes it here has committed them, and Produce waits while that is not far enough.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/twmb/franz-go/pkg/kfake"

	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

// ErrInUse is returned (wrapped) by Open for a directory that another process, or another broker of this one, has open.
var ErrInUse = errors.New("the directory is in use by another process")

var _ bus.Bus = (*Bus)(nil)

// Bus is the broker and a connection to it. Make one with Open and Close it. It is safe for concurrent use.
type Bus struct {
	*kafkabus.Bus
	cluster *kfake.Cluster
	address string
	dir     *os.File // the lock
	space   *space
	gauges  gauges
	close   sync.Once
	err     error // of Close
}

// Open starts the broker on its directory, which is made if it is missing, and reads what is kept there. It returns
// ErrInUse if another process has it. reg may be nil.
func Open(cfg Config, log logrus.FieldLogger, reg prometheus.Registerer) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded broker's settings: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the embedded broker's directory: %w", err)
	}
	dir, err := lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := rememberProducers(cfg.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the embedded broker in %s: %w", cfg.Dir, err), dir.Close())
	}
	cluster, err := kfake.NewCluster(options(cfg, log)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the embedded broker in %s: %w", cfg.Dir, err), dir.Close())
	}
	b := &Bus{cluster: cluster, address: cluster.ListenAddrs()[0], dir: dir}
	if b.gauges, err = newGauges(reg); err == nil {
		b.Bus, err = kafkabus.New(cfg.client(b.address), log, reg)
	}
	if err != nil {
		b.gauges.unregister()
		cluster.Close()
		return nil, errors.Join(err, dir.Close())
	}
	b.space = newSpace(cfg.TopicBytes, cluster, b.Bus, b.gauges)
	go b.space.run(log)
	log.WithField("address", b.address).WithField("dir", cfg.Dir).Info("Embedded broker is up")
	return b, nil
}

func options(cfg Config, log logrus.FieldLogger) []kfake.Opt {
	const segments = 64 // of a full topic: what is trimmed leaves the disk in such pieces
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("imwatch"), kfake.DataDir(cfg.Dir), kfake.WithLogger(logger{log}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			return net.Listen(network, net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port))) //nolint:noctx // it does not wait
		}),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": strconv.FormatInt(max(cfg.TopicBytes/segments, 256<<10), 10),
		}),
	}
	if cfg.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// Addr is the broker's address, host:port, for other clients on this machine.
func (b *Bus) Addr() string { return b.address }

// EnsureTopics makes the topics that are missing; see bus.Bus. TopicSpec.Bytes lowers the topic's share of the disk; it
// does not raise it.
func (b *Bus) EnsureTopics(ctx context.Context, specs ...bus.TopicSpec) error {
	plain := make([]bus.TopicSpec, len(specs))
	for i, s := range specs {
		plain[i] = s
		plain[i].Bytes = 0 // the broker's own limit would delete what nobody has consumed yet
	}
	if err := b.Bus.EnsureTopics(ctx, plain...); err != nil {
		return err
	}
	b.space.limit(specs)
	return nil
}

// Produce writes ms; see bus.Producer. It waits while the topic is full of what its consumers have yet to commit.
func (b *Bus) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	if err := b.space.wait(ctx, topic); err != nil {
		return fmt.Errorf("waiting for space in %q: %w", topic, err)
	}
	return b.Bus.Produce(ctx, topic, ms...)
}

// ProduceInto writes ms into the partitions that they name; see bus.Bus. It waits as Produce does.
func (b *Bus) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	if err := b.space.wait(ctx, topic); err != nil {
		return fmt.Errorf("waiting for space in %q: %w", topic, err)
	}
	return b.Bus.ProduceInto(ctx, topic, ms...)
}

// ProduceSealed writes a sealed batch; see bus.Sealer. It waits as Produce does.
func (b *Bus) ProduceSealed(ctx context.Context, topic string, partition int, as bus.Stamp, sealed []byte) error {
	if err := b.space.wait(ctx, topic); err != nil {
		return fmt.Errorf("waiting for space in %q: %w", topic, err)
	}
	return b.Bus.ProduceSealed(ctx, topic, partition, as, sealed)
}

// Consume joins a consumer group; see bus.Bus. From now on the topics keep what the group has not committed.
func (b *Bus) Consume(ctx context.Context, group string, topics ...string) (bus.Consumer, error) {
	c, err := b.Bus.Consume(ctx, group, topics...)
	if err == nil {
		b.space.consumedBy(group, topics)
	}
	return c, err
}

// Close ends the consumers, stops the broker and gives the directory back. It may be called more than once.
func (b *Bus) Close() error {
	b.close.Do(func() {
		err := b.Bus.Close()
		b.space.stop()
		b.gauges.unregister()
		b.cluster.Close()
		b.err = errors.Join(err, b.dir.Close())
	})
	return b.err
}

// logger passes the broker's own messages on.
type logger struct{ to logrus.FieldLogger }

// Logf writes failures as warnings and drops the rest, which is a tale of every request.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError || level == kfake.LogLevelWarn {
		l.to.Warnf("embedded broker: "+format, args...)
	}
}
