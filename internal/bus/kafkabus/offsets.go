package kafkabus

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// Ends gives the next offset of each partition; see bus.Bus.
func (b *Bus) Ends(ctx context.Context, topic string) (bus.Position, error) {
	return b.position(ctx, topic, kafka.LastOffset)
}

// Starts gives the oldest offset of each partition; see bus.Bus.
func (b *Bus) Starts(ctx context.Context, topic string) (bus.Position, error) {
	return b.position(ctx, topic, kafka.FirstOffset)
}

func (b *Bus) position(ctx context.Context, topic string, which int64) (out bus.Position, err error) {
	n, err := b.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	err = b.retry(ctx, fmt.Sprintf("listing the offsets of %q", topic), func(ctx context.Context) (err error) {
		out, err = b.listOffsets(ctx, topic, n, which)
		return err
	})
	return out, err
}

// listOffsets asks the leaders of the topic's n partitions once.
func (b *Bus) listOffsets(ctx context.Context, topic string, n int, which int64) (bus.Position, error) {
	ask := make([]kafka.OffsetRequest, n)
	for p := range ask {
		ask[p] = kafka.OffsetRequest{Partition: p, Timestamp: which}
	}
	res, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, err
	}
	out := make(bus.Position, n)
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		out[p.Partition] = p.FirstOffset
		if which == kafka.LastOffset {
			out[p.Partition] = p.LastOffset
		}
	}
	if len(out) != n {
		return nil, kafka.LeaderNotAvailable
	}
	return out, nil
}

// Committed gives a group's committed offsets; see bus.Bus.
func (b *Bus) Committed(ctx context.Context, group, topic string) (out bus.Position, err error) {
	n, err := b.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	all := make([]int, n)
	for p := range all {
		all[p] = p
	}
	doing := fmt.Sprintf("reading the offsets of group %q in %q", group, topic)
	err = b.retry(ctx, doing, func(ctx context.Context) error {
		res, err := b.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
		if err != nil {
			return err
		}
		out = bus.Position{}
		if errors.Is(res.Error, kafka.GroupIdNotFound) {
			return nil // some brokers say so, others answer that nothing is committed
		}
		if res.Error != nil {
			return res.Error
		}
		for _, p := range res.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
			if p.CommittedOffset >= 0 {
				out[p.Partition] = p.CommittedOffset
			}
		}
		return nil
	})
	return out, err
}

// Members counts a group's members; see bus.Bus.
func (b *Bus) Members(ctx context.Context, group string) (n int, err error) {
	err = b.retry(ctx, fmt.Sprintf("counting the members of group %q", group), func(ctx context.Context) error {
		res, err := b.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		if err != nil {
			return err
		}
		n = 0
		for _, g := range res.Groups {
			switch {
			case errors.Is(g.Error, kafka.GroupIdNotFound):
			case g.Error != nil:
				return g.Error
			default:
				n += len(g.Members)
			}
		}
		return nil
	})
	return n, err
}
