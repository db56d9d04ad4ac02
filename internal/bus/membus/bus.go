// Package membus is a bus in memory, for tests: the stages' own tests run on it in fake time.
//
// It keeps the whole contract of package bus, consumer groups included, with no goroutine, no timer and no socket of
// its own, so it can live inside a testing/synctest bubble, and the same calls give the same order every time. It
// forgets nothing by itself (Trim does), and everything when the process ends.
package membus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

// MaxMessageBytes is the size of key and value together from which on Produce answers bus.ErrTooLarge.
const MaxMessageBytes = 1_000_000

var _ bus.Bus = (*Bus)(nil)

// Bus is a message log in memory. Make one with New. It is safe for concurrent use.
type Bus struct {
	mu        sync.Mutex
	topics    map[string][]partition
	groups    map[string]*group
	consumers map[*consumer]struct{}
	changed   chan struct{} // closed and replaced whenever a waiting Fetch should look again
	closed    bool
	keyless   int // messages without a key so far: they go round the partitions

	encoder    *recordbatch.Encoder
	identities int64 // that were given
}

// partition holds the messages from the offset start on.
type partition struct {
	start     int64
	messages  []bus.Message
	producers map[bus.Identity]*producer
}

func (p *partition) end() int64 { return p.start + int64(len(p.messages)) }

// New returns an empty bus. Make its topics with EnsureTopics.
func New() *Bus {
	return &Bus{
		topics:    map[string][]partition{},
		groups:    map[string]*group{},
		consumers: map[*consumer]struct{}{},
		changed:   make(chan struct{}),
		encoder:   recordbatch.NewEncoder(recordbatch.None, MaxMessageBytes),
	}
}

// enter locks the bus for a call, if the bus is open and ctx has not ended.
func (b *Bus) enter(ctx context.Context, doing string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return fmt.Errorf("%s: %w", doing, bus.ErrClosed)
	}
	return nil
}

// wake lets every waiting Fetch look again. The lock is held.
func (b *Bus) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *Bus) partitions(name string) ([]partition, error) {
	ps, ok := b.topics[name]
	if !ok {
		return nil, fmt.Errorf("topic %q: %w", name, bus.ErrUnknownTopic)
	}
	return ps, nil
}

// Produce appends copies of ms; see bus.Producer. All or none of them are written.
func (b *Bus) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	if err := b.enter(ctx, "producing"); err != nil {
		return err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	if err := checkSizes(ms); err != nil {
		return fmt.Errorf("producing to %q: %w", topic, err)
	}
	for _, m := range ms {
		b.append(topic, ps, b.choose(m.Key, len(ps)), m)
	}
	b.wake()
	return nil
}

// Broadcast appends a copy of m to every partition; see bus.Producer.
func (b *Bus) Broadcast(ctx context.Context, topic string, m bus.Message) error {
	if err := b.enter(ctx, "broadcasting"); err != nil {
		return err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return fmt.Errorf("broadcasting: %w", err)
	}
	if err := checkSizes([]bus.Message{m}); err != nil {
		return fmt.Errorf("broadcasting to %q: %w", topic, err)
	}
	for p := range ps {
		b.append(topic, ps, p, m)
	}
	b.wake()
	return nil
}

// ProduceInto appends copies of ms to the partitions that they name; see bus.Bus. All or none of them are written.
func (b *Bus) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	if err := b.enter(ctx, "producing"); err != nil {
		return err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	if err := checkSizes(ms); err != nil {
		return fmt.Errorf("producing to %q: %w", topic, err)
	}
	for _, m := range ms {
		if m.Partition < 0 || m.Partition >= len(ps) {
			return fmt.Errorf("producing to %q: there is no partition %d of %d", topic, m.Partition, len(ps))
		}
	}
	for _, m := range ms {
		b.append(topic, ps, m.Partition, m)
	}
	b.wake()
	return nil
}

func checkSizes(ms []bus.Message) error {
	for i, m := range ms {
		if n := len(m.Key) + len(m.Value); n > MaxMessageBytes {
			return &bus.TooLargeError{Index: i, Bytes: n}
		}
	}
	return nil
}

func (b *Bus) choose(key []byte, n int) int {
	if len(key) == 0 {
		b.keyless++
		return b.keyless % n
	}
	return bus.Partition(key, n)
}

func (b *Bus) append(topic string, ps []partition, p int, m bus.Message) {
	ps[p].messages = append(ps[p].messages, bus.Message{
		Topic: topic, Partition: p, Offset: ps[p].end(),
		Key: clone(m.Key), Value: clone(m.Value), Time: time.Now(),
	})
}

// clone copies; what is empty comes back as nil.
func clone(b []byte) []byte { return append([]byte(nil), b...) }

// EnsureTopics makes the topics that are missing; see bus.Bus. Retention, Bytes and Compact are not applied: the
// messages of a test stay where they are until Trim.
func (b *Bus) EnsureTopics(ctx context.Context, specs ...bus.TopicSpec) error {
	if err := b.enter(ctx, "making topics"); err != nil {
		return err
	}
	defer b.mu.Unlock()
	for _, s := range specs {
		if s.Name == "" || s.Partitions < 1 {
			return fmt.Errorf("making topic %q: a name and at least one partition are needed", s.Name)
		}
	}
	for _, s := range specs {
		if _, there := b.topics[s.Name]; !there {
			b.topics[s.Name] = make([]partition, s.Partitions)
		}
	}
	return nil
}

// Trim forgets the messages of a partition before an offset, as a broker's retention does.
func (b *Bus) Trim(topic string, p int, before int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return err
	}
	if p < 0 || p >= len(ps) || before > ps[p].end() {
		return fmt.Errorf("trimming %q: no partition %d with an offset %d", topic, p, before)
	}
	if n := before - ps[p].start; n > 0 {
		ps[p].messages = append([]bus.Message(nil), ps[p].messages[n:]...)
		ps[p].start = before
	}
	return nil
}

// Ends gives the next offset of each partition; see bus.Bus.
func (b *Bus) Ends(ctx context.Context, topic string) (bus.Position, error) {
	return b.position(ctx, topic, func(p *partition) int64 { return p.end() })
}

// Starts gives the oldest offset of each partition; see bus.Bus.
func (b *Bus) Starts(ctx context.Context, topic string) (bus.Position, error) {
	return b.position(ctx, topic, func(p *partition) int64 { return p.start })
}

func (b *Bus) position(ctx context.Context, topic string, of func(*partition) int64) (bus.Position, error) {
	if err := b.enter(ctx, "listing offsets"); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("listing offsets: %w", err)
	}
	out := make(bus.Position, len(ps))
	for i := range ps {
		out[i] = of(&ps[i])
	}
	return out, nil
}

// Committed gives a group's committed offsets; see bus.Bus.
func (b *Bus) Committed(ctx context.Context, name, topic string) (bus.Position, error) {
	if err := b.enter(ctx, "reading committed offsets"); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	ps, err := b.partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("reading committed offsets: %w", err)
	}
	out := bus.Position{}
	if g := b.groups[name]; g != nil {
		for i := range ps {
			if off, ok := g.committed[place{topic, i}]; ok {
				out[i] = off
			}
		}
	}
	return out, nil
}

// Members counts a group's members; see bus.Bus.
func (b *Bus) Members(ctx context.Context, name string) (int, error) {
	if err := b.enter(ctx, "counting a group's members"); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	if g := b.groups[name]; g != nil {
		return len(g.members), nil
	}
	return 0, nil
}

// Ping says whether the bus is open.
func (b *Bus) Ping(ctx context.Context) error {
	if err := b.enter(ctx, "pinging"); err != nil {
		return err
	}
	b.mu.Unlock()
	return nil
}

// Close ends all consumers. What was produced is gone. It may be called more than once.
func (b *Bus) Close() error {
	b.mu.Lock()
	b.closed = true
	open := make([]*consumer, 0, len(b.consumers))
	for c := range b.consumers {
		open = append(open, c)
	}
	b.mu.Unlock()
	var errs []error
	for _, c := range open {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
