package shard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/shard"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

func stateBus(tb testing.TB) *membus.Bus {
	tb.Helper()
	b := membus.New()
	tb.Cleanup(func() { _ = b.Close() })
	if err := b.EnsureTopics(tb.Context(), bus.TopicSpec{Name: "state", Partitions: 3, Compact: true}); err != nil {
		tb.Fatal(err)
	}
	return b
}

// small is a bus that takes small messages only.
type small struct {
	bus.Bus
	limit int
}

func (s *small) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	for i := range ms {
		if n := len(ms[i].Key) + len(ms[i].Value); n > s.limit {
			return &bus.TooLargeError{Index: i, Bytes: n}
		}
	}
	return s.Bus.ProduceInto(ctx, topic, ms...)
}

func TestStatesComeBackWhole(t *testing.T) {
	t.Parallel()
	b := stateBus(t)
	rank := int64(0)
	for _, limit := range []int{1 << 20, 5000} {
		over := &small{b, limit}
		for i, size := range []int{0, 1, 300 << 10, 2 << 20, 7} {
			state := bytes.Repeat([]byte{byte(i + 1)}, size)
			c := shard.NewChangelog(over, "state", 1, "s")
			if _, err := c.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				rank++
				if err := c.Save(t.Context(), rank, state); err != nil {
					t.Fatal(err)
				}
			}
			got, err := shard.NewChangelog(b, "state", 1, "s").Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, state) {
				t.Errorf("a state of %d bytes came back with %d", len(state), len(got))
			}
		}
	}
	if got, err := shard.NewChangelog(b, "state", 1, "other").Load(t.Context()); got != nil || err != nil {
		t.Errorf("a name without a state gave %d bytes, %v", len(got), err)
	}
	if got, err := shard.NewChangelog(b, "state", 2, "s").Load(t.Context()); got != nil || err != nil {
		t.Errorf("an empty partition gave %d bytes, %v", len(got), err)
	}
}

// mortal is a bus whose writer dies after so many messages.
type mortal struct {
	bus.Bus
	left int
	rank int64 // of its last whole state
}

var errDead = errors.New("the process is dead")

func (m *mortal) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	n := min(m.left, len(ms))
	m.left -= n
	if err := m.Bus.ProduceInto(ctx, topic, ms[:n]...); err != nil {
		return err
	}
	if n < len(ms) {
		return errDead
	}
	return nil
}

// compact keeps the last message of each key, as a broker may at any moment.
func compact(t *rapid.T, from *membus.Bus) *membus.Bus {
	ctx := context.Background()
	ends, err := from.Ends(ctx, "state")
	if err != nil {
		t.Fatal(err)
	}
	to := membus.New()
	if err := to.EnsureTopics(ctx, bus.TopicSpec{Name: "state", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if ends[0] == 0 {
		return to
	}
	c, err := from.Read(ctx, "state", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []bus.Message
	for int64(len(all)) < ends[0] {
		ms, err := c.Fetch(ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ms...)
	}
	last := map[string]int{}
	for i, m := range all {
		last[string(m.Key)] = i
	}
	kept := all[:0:0]
	for i, m := range all {
		if last[string(m.Key)] == i {
			kept = append(kept, m)
		}
	}
	if err := to.ProduceInto(ctx, "state", kept...); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestNoDeathSpoilsTheLastWholeState lets owners die in the middle of writing, and one that thinks it still is the owner
// write beside its successor. Whoever takes over gets the farthest state that was acknowledged, or one beyond it.
func TestNoDeathSpoilsTheLastWholeState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		b := membus.New()
		defer func() { _ = b.Close() }()
		if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: "state", Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		text := func(rank int64) []byte { return bytes.Repeat(fmt.Appendf(nil, "%06d,", rank), 800) } // three chunks
		rank, acknowledged := int64(0), int64(0)
		link := &small{Bus: b, limit: 3000}
		var zombie *shard.Changelog
		var farthest int64 // of the zombie
		for range rapid.IntRange(1, 6).Draw(t, "owners") {
			own := &mortal{Bus: link, left: rapid.IntRange(0, 20).Draw(t, "messages until death")}
			c := shard.NewChangelog(own, "state", 0, "s")
			got, err := c.Load(ctx)
			if errors.Is(err, errDead) {
				continue // before it had taken over
			}
			if err != nil {
				t.Fatal(err)
			}
			if got == nil && acknowledged > 0 || got != nil && string(got[:6]) < fmt.Sprintf("%06d", acknowledged) {
				t.Fatalf("restored %.6q, and %d was acknowledged", got, acknowledged)
			}
			for range rapid.IntRange(0, 4).Draw(t, "states") {
				rank++
				if err := c.Save(ctx, rank, text(rank)); err == nil {
					acknowledged, own.rank = rank, rank
				}
				if zombie != nil && rapid.Bool().Draw(t, "the one before writes too") {
					_ = zombie.Save(ctx, farthest, text(farthest))
				}
			}
			zombie, farthest = c, own.rank
			own.left += rapid.IntRange(0, 6).Draw(t, "messages after death")
			if rapid.Bool().Draw(t, "compacted") {
				link.Bus = compact(t, b)
				_ = b.Close()
				b = link.Bus.(*membus.Bus) //nolint:forcetypeassert // compact gave it
			}
		}
	})
}

func TestDamagedStatesAreNotRestored(t *testing.T) {
	t.Parallel()
	b := stateBus(t)
	c := shard.NewChangelog(b, "state", 0, "s")
	if err := c.Save(t.Context(), 1, []byte("good")); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(t.Context(), 2, bytes.Repeat([]byte("better"), 100_000)); err != nil {
		t.Fatal(err)
	}
	reader, err := b.ReadPartitions(t.Context(), "state", bus.Position{0: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ms, err := reader.Fetch(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(ms, func(m bus.Message) bool { return bytes.Contains(m.Value, []byte("better")) })
	if i < 0 {
		t.Fatal("the state does not stand there")
	}
	for at := range len(ms[i].Value) {
		if at > 20 && at%50_000 != 0 {
			continue
		}
		spoilt := stateBus(t)
		ms[i].Value[at] ^= 1
		if err := spoilt.ProduceInto(t.Context(), "state", ms...); err != nil {
			t.Fatal(err)
		}
		ms[i].Value[at] ^= 1
		got, err := shard.NewChangelog(spoilt, "state", 0, "s").Load(t.Context())
		if err != nil || string(got) != "good" {
			t.Fatalf("with byte %d changed: %.20q, %v", at, got, err)
		}
	}
}

func FuzzStates(f *testing.F) {
	f.Add([]byte("s/2"), []byte("M23456789"))
	f.Add([]byte("s/2/0"), []byte("C234567890abc"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		b := stateBus(t)
		if err := b.ProduceInto(t.Context(), "state", bus.Message{Key: key, Value: value}); err != nil {
			t.Skip()
		}
		if _, err := shard.NewChangelog(b, "state", 0, "s").Load(t.Context()); err != nil {
			t.Errorf("Load: %v", err)
		}
	})
}
