package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// errNotThere is a topic that the metadata does not name (yet).
var errNotThere = errors.New("the brokers know no such topic")

// partitions tells how many partitions a topic has. A topic that has been there is waited for, since a restarting
// cluster may not know it for a while; one that has not is an ErrUnknownTopic once fresh metadata says so.
func (b *Bus) partitions(ctx context.Context, topic string) (int, error) {
	var n, missing int
	err := b.retry(ctx, "looking up topic "+strconv.Quote(topic), func(ctx context.Context) error {
		var err error
		n, err = b.lookup(ctx, topic)
		if errors.Is(err, errNotThere) && !b.isKnown(topic) {
			if missing++; missing == lookups {
				return bus.ErrUnknownTopic
			}
		}
		return err
	})
	return n, err
}

// lookups is how often metadata must lack a topic before it is believed: the first answer may be old.
const lookups = 4

func (b *Bus) isKnown(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[topic]
}

// lookup asks kafka-go's cache.
func (b *Bus) lookup(ctx context.Context, topic string) (int, error) {
	res, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, err
	}
	t := res.Topics[0]
	switch {
	case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		return 0, errNotThere
	case t.Error != nil:
		return 0, t.Error
	case len(t.Partitions) == 0:
		return 0, kafka.LeaderNotAvailable
	}
	b.mu.Lock()
	b.known[topic] = true
	b.mu.Unlock()
	return len(t.Partitions), nil
}

// EnsureTopics makes the topics that are missing; see bus.Bus.
func (b *Bus) EnsureTopics(ctx context.Context, specs ...bus.TopicSpec) error {
	for _, s := range specs {
		if s.Name == "" || s.Partitions < 1 {
			return fmt.Errorf("making topic %q: a name and at least one partition are needed", s.Name)
		}
	}
	for _, s := range specs {
		if err := b.ensureTopic(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) ensureTopic(ctx context.Context, s bus.TopicSpec) error {
	doing := fmt.Sprintf("making topic %q", s.Name)
	made := false
	return b.retry(ctx, doing, func(ctx context.Context) error {
		n, err := b.lookup(ctx, s.Name)
		if errors.Is(err, errNotThere) && !made {
			if err := b.createTopic(ctx, s); err != nil {
				return err
			}
			made = true
			n, err = b.lookup(ctx, s.Name)
		}
		if err != nil {
			return err
		}
		// Every leader must answer for its partition: metadata can name it before it is ready.
		_, err = b.listOffsets(ctx, s.Name, n, kafka.LastOffset)
		return err
	})
}

// compactSegment is the size of a compacted topic's segments.
const compactSegment = 32 << 20

func (b *Bus) createTopic(ctx context.Context, s bus.TopicSpec) error {
	replicas := b.cfg.ReplicationFactor
	if replicas == 0 {
		replicas = -1 // the brokers' default
	}
	tc := kafka.TopicConfig{Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: replicas}
	set := func(name, value string) {
		tc.ConfigEntries = append(tc.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	for name, value := range b.cfg.TopicConfig {
		set(name, value)
	}
	if s.Retention > 0 {
		set("retention.ms", strconv.FormatInt(max(1, s.Retention.Milliseconds()), 10))
	}
	if s.Bytes > 0 {
		set("retention.bytes", strconv.FormatInt(s.Bytes, 10))
	}
	if s.Compact {
		set("cleanup.policy", "compact")
		if _, chosen := b.cfg.TopicConfig["segment.bytes"]; !chosen { // the newest segment is never compacted
			set("segment.bytes", strconv.Itoa(compactSegment))
		}
	}
	res, err := b.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{tc}})
	if err != nil {
		return err
	}
	if err := res.Errors[s.Name]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return err
	}
	return nil
}
