package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"imwatch/internal/bus"
)

// Produce writes ms; see bus.Producer.
func (b *Bus) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	if err := b.checkSizes(topic, ms); err != nil {
		return err
	}
	n, err := b.partitions(ctx, topic)
	if err != nil || len(ms) == 0 {
		return err
	}
	return b.sendAll(ctx, topic, ms, b.spread(ms, n))
}

// ProduceInto writes each of ms into the partition that it names; see bus.Bus.
func (b *Bus) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	if err := b.checkSizes(topic, ms); err != nil {
		return err
	}
	n, err := b.partitions(ctx, topic)
	if err != nil {
		return err
	}
	picks := make([][]int32, n)
	for i := range ms {
		p := ms[i].Partition
		if p < 0 || p >= n {
			return fmt.Errorf("producing to %q: there is no partition %d of %d", topic, p, n)
		}
		picks[p] = append(picks[p], int32(i))
	}
	return b.sendAll(ctx, topic, ms, picks)
}

// Broadcast writes m into every partition; see bus.Producer.
func (b *Bus) Broadcast(ctx context.Context, topic string, m bus.Message) error {
	ms := []bus.Message{m}
	if err := b.checkSizes(topic, ms); err != nil {
		return err
	}
	n, err := b.partitions(ctx, topic)
	if err != nil {
		return err
	}
	picks := make([][]int32, n)
	for p := range picks {
		picks[p] = []int32{0}
	}
	return b.sendAll(ctx, topic, ms, picks)
}

// checkSizes refuses what is too large before anything is written.
func (b *Bus) checkSizes(topic string, ms []bus.Message) error {
	for i := range ms {
		if n := len(ms[i].Key) + len(ms[i].Value); n > b.cfg.MaxMessageBytes {
			return fmt.Errorf("producing to %q: %w", topic, &bus.TooLargeError{Index: i, Bytes: n})
		}
	}
	return nil
}

// keylessRun is how many messages without a key go to one partition before the next one's turn: enough for batches to
// compress, few enough for one call to use all partitions.
const keylessRun = 256

// spread tells for each of n partitions which of ms go there, in their order.
func (b *Bus) spread(ms []bus.Message, n int) [][]int32 {
	target := make([]int32, len(ms))
	counts := make([]int32, n)
	start, keyless := b.keyless.Add(1), 0
	for i := range ms {
		var p int
		if len(ms[i].Key) > 0 {
			p = bus.Partition(ms[i].Key, n)
		} else {
			p = int((start + uint64(keyless/keylessRun)) % uint64(n))
			keyless++
		}
		target[i] = int32(p)
		counts[p]++
	}
	all := make([]int32, len(ms))
	picks := make([][]int32, n)
	from := int32(0)
	for p, c := range counts {
		picks[p] = all[from : from : from+c]
		from += c
	}
	for i, p := range target {
		picks[p] = append(picks[p], int32(i))
	}
	return picks
}

// sendAll sends to all partitions at once and returns when the last is done.
func (b *Bus) sendAll(ctx context.Context, topic string, ms []bus.Message, picks [][]int32) error {
	errs := make([]error, len(picks))
	var wg sync.WaitGroup
	for p, pick := range picks {
		if len(pick) > 0 {
			wg.Go(func() { errs[p] = b.send(ctx, b.lane(topic, p), ms, pick) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}
