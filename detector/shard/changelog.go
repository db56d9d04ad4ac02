package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"

	"imwatch/internal/bus"
)

// Changelog keeps the newest state of one owner, by its name, in a partition of a compacted topic. Make it with
// NewChangelog. Not safe for concurrent use.
//
// A state is written as chunks, and a manifest that makes it count behind them, when they were acknowledged. Each state
// goes into another slot than the one before, so compaction never takes a chunk of the last whole state away, however
// the writer ends; and whoever takes over claims slots that its predecessor does not use, so one that only thinks it is
// the owner spoils nothing either.
type Changelog struct {
	bus       bus.Bus
	topic     string
	partition int
	name      string
	chunk     int
	slot      int // for the next state
}

// slots go round in pairs: an owner writes into the two of a pair in turn, and the next one takes the next pair, but never
// that of the last whole state: owners that die before they have written one must not come round to it.
const (
	slots = 10
	pairs = slots / 2
)

// chunkBytes is how large the pieces of a state are: well below what brokers take as one message.
const chunkBytes = 256 << 10

// NewChangelog makes a changelog. Several may share a partition under different names.
func NewChangelog(b bus.Bus, topic string, partition int, name string) *Changelog {
	return &Changelog{bus: b, topic: topic, partition: partition, name: name, chunk: chunkBytes}
}

// Save writes a state. rank says how far it has come: Load prefers the state with the greatest rank.
func (c *Changelog) Save(ctx context.Context, rank int64, state []byte) error {
	slot := c.slot
	id := rand.Uint64() //nolint:gosec // only to tell states apart
	count, err := c.saveChunks(ctx, slot, id, state)
	if err != nil {
		return fmt.Errorf("writing the state of %s: %w", c.name, err)
	}
	m := manifest{id: id, count: count, size: len(state), sum: crc32.Checksum(state, castagnoli()), rank: rank}
	if err := c.bus.ProduceInto(ctx, c.topic, bus.Message{Partition: c.partition, Key: []byte(c.key(slot)), Value: m.encode()}); err != nil {
		return fmt.Errorf("writing the state of %s: %w", c.name, err)
	}
	c.slot ^= 1
	return nil
}

func (c *Changelog) key(slot int) string { return c.name + "/" + strconv.Itoa(slot) }

func (c *Changelog) saveChunks(ctx context.Context, slot int, id uint64, state []byte) (count int, err error) {
	for {
		var ms []bus.Message
		for from := 0; from < len(state); from += c.chunk {
			i := len(ms)
			ms = append(ms, bus.Message{
				Partition: c.partition, Key: []byte(c.key(slot) + "/" + strconv.Itoa(i)),
				Value: encodeChunk(id, i, state[from:min(from+c.chunk, len(state))]),
			})
		}
		err = c.bus.ProduceInto(ctx, c.topic, ms...)
		if !errors.Is(err, bus.ErrTooLarge) || c.chunk < 512 {
			return len(ms), err
		}
		c.chunk /= 2
	}
}

// tails is how many messages Load looks at from the end: the last state mostly stands there, and before it what
// compaction has not taken away yet. Behind them comes everything.
func tails() []int64 { return []int64{64, 512, 4096} }

// Load takes over: it gives the state with the greatest rank of those that are whole, nil without any, and has Save keep
// away from the slots of all who took over shortly before.
func (c *Changelog) Load(ctx context.Context) ([]byte, error) {
	starts, err := c.bus.Starts(ctx, c.topic)
	if err != nil {
		return nil, fmt.Errorf("restoring the state of %s: %w", c.name, err)
	}
	ends, err := c.bus.Ends(ctx, c.topic)
	if err != nil {
		return nil, fmt.Errorf("restoring the state of %s: %w", c.name, err)
	}
	start, end := starts[c.partition], ends[c.partition]
	seen := newStates(c.name)
	for _, tail := range append(tails(), end-start) {
		from := max(start, end-tail)
		if seen, err = c.read(ctx, from, end); err != nil {
			return nil, fmt.Errorf("restoring the state of %s: %w", c.name, err)
		}
		if seen.best != nil || from == start {
			break
		}
	}
	pair := (seen.pair + 1) % pairs
	if seen.best != nil && seen.best.slot/2 == pair {
		pair = (pair + 1) % pairs
	}
	if err := c.claim(ctx, pair); err != nil {
		return nil, fmt.Errorf("taking over the state of %s: %w", c.name, err)
	}
	if seen.best == nil {
		return nil, nil
	}
	return seen.best.state, nil
}

// claim says which slots are ours.
func (c *Changelog) claim(ctx context.Context, pair int) error {
	m := bus.Message{Partition: c.partition, Key: []byte(c.name + "/" + claimKey), Value: []byte{claimMagic, byte(pair)}}
	if err := c.bus.ProduceInto(ctx, c.topic, m); err != nil {
		return err
	}
	c.slot = 2 * pair
	return nil
}

// found is a whole state.
type found struct {
	slot  int
	rank  int64
	state []byte
}

// read looks for states and claims between two offsets.
func (c *Changelog) read(ctx context.Context, from, end int64) (*states, error) {
	seen := newStates(c.name)
	if from >= end {
		return seen, nil
	}
	consumer, err := c.bus.ReadPartitions(ctx, c.topic, bus.Position{c.partition: from})
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	for at := from; at < end; {
		ms, err := consumer.Fetch(ctx, 64)
		if err != nil {
			return nil, err
		}
		for i := range ms {
			at = ms[i].Offset + 1
			if at > end {
				break
			}
			seen.take(&ms[i])
		}
	}
	return seen, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

const (
	chunkMagic    = 'C'
	manifestMagic = 'M'
	claimMagic    = 'P'
	claimKey      = "owner"
)

func encodeChunk(id uint64, i int, part []byte) []byte {
	b := append(make([]byte, 0, len(part)+16), chunkMagic)
	b = binary.LittleEndian.AppendUint64(b, id)
	b = binary.AppendUvarint(b, uint64(i)) //nolint:gosec // never negative
	return append(b, part...)
}

// manifest says that the chunks of a state are all there.
type manifest struct {
	id          uint64
	count, size int
	sum         uint32
	rank        int64
}

func (m *manifest) encode() []byte {
	b := binary.LittleEndian.AppendUint64([]byte{manifestMagic}, m.id)
	b = binary.AppendUvarint(b, uint64(m.count)) //nolint:gosec // never negative
	b = binary.AppendUvarint(b, uint64(m.size))  //nolint:gosec // never negative
	b = binary.LittleEndian.AppendUint32(b, m.sum)
	return binary.AppendVarint(b, m.rank)
}
