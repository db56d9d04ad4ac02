package membus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

// Partitions tells how many partitions a topic has; see bus.Sealer.
func (b *Bus) Partitions(ctx context.Context, topic string) (int, error) {
	if err := b.enter(ctx, "looking up a topic"); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	return len(ps), err
}

// Identify gives an identity; see bus.Sealer.
func (b *Bus) Identify(ctx context.Context) (bus.Identity, error) {
	if err := b.enter(ctx, "asking for an identity"); err != nil {
		return bus.Identity{}, err
	}
	defer b.mu.Unlock()
	b.identities++
	return bus.Identity{ID: b.identities}, nil
}

// Seal makes a batch, without compression; see bus.Sealer.
func (b *Bus) Seal(dst []byte, ms []bus.Message, pick []int32) (out []byte, n int, err error) {
	return b.encoder.Append(dst, ms, pick)
}

// Unseal takes a batch apart; see bus.Sealer.
func (b *Bus) Unseal(sealed []byte) ([]bus.Message, error) { return recordbatch.Messages(sealed) }

// producer is what a partition remembers of an identity, as Kafka's brokers do.
type producer struct {
	next int32
	last []int32 // where its last batches began
}

// remembered is of how many batches repeats are recognised.
const remembered = 5

// ProduceSealed appends the messages of a batch, unless it is one of the identity's last five; see bus.Sealer.
func (b *Bus) ProduceSealed(ctx context.Context, topic string, partition int, as bus.Stamp, sealed []byte) error {
	if err := b.enter(ctx, "producing"); err != nil {
		return err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	if partition < 0 || partition >= len(ps) {
		return fmt.Errorf("producing to %q: there is no partition %d of %d", topic, partition, len(ps))
	}
	if err := recordbatch.Stamp(sealed, as, time.Now()); err != nil {
		return fmt.Errorf("producing to %q: %w", topic, err)
	}
	ms, err := recordbatch.Messages(sealed)
	if err != nil {
		return fmt.Errorf("producing to %q: %w", topic, err)
	}
	p := &ps[partition]
	if p.producers == nil {
		p.producers = map[bus.Identity]*producer{}
	}
	repeat, err := p.admit(as, int32(len(ms))) //nolint:gosec // a batch's number of messages has 32 bits
	if err != nil {
		return fmt.Errorf("producing to %q: %w", topic, err)
	}
	if !repeat {
		for _, m := range ms {
			b.append(topic, ps, partition, m)
		}
		b.wake()
	}
	return nil
}

// admit notes a batch of n messages, or says that it is known already.
func (p *partition) admit(as bus.Stamp, n int32) (repeat bool, err error) {
	who := p.producers[as.Identity]
	if who == nil { // any sequence is taken from one that is new, or was forgotten
		who = &producer{next: as.Sequence}
		p.producers[as.Identity] = who
	}
	if slices.Contains(who.last, as.Sequence) {
		return true, nil
	}
	if as.Sequence != who.next {
		return false, fmt.Errorf("sequence %d in place of %d: %w", as.Sequence, who.next, bus.ErrSequence)
	}
	who.next += n
	who.last = append(who.last, as.Sequence)
	who.last = who.last[max(0, len(who.last)-remembered):]
	return false, nil
}

// Forget makes all partitions forget who has produced into them, as brokers do after a day or an accident.
func (b *Bus) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ps := range b.topics {
		for i := range ps {
			ps[i].producers = nil
		}
	}
}
