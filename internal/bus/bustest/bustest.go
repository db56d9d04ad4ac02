// Package bustest is the one suite that every adapter of package bus passes.
package bustest

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imwatch/internal/bus"
)

// Factory is what Run needs of an adapter.
type Factory struct {
	// Open connects to the log; the suite closes what it returns. Logs may be shared between calls: the suite gives
	// its topics and groups names of their own.
	Open func(t testing.TB) bus.Bus
	// Trim makes the log forget the messages of a partition before an offset. Leave it nil where there is no way to do
	// that; only the tests of offsets that are gone do with less then.
	Trim func(t testing.TB, b bus.Bus, topic string, partition int, before int64)
}

// Run runs the whole suite.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"Topics", topics},
		{"UnknownTopic", unknownTopic},
		{"RoundTrip", roundTrip},
		{"CallerOwnsItsMemory", memory},
		{"OrderPerKey", orderPerKey},
		{"Keyless", keyless},
		{"ConcurrentProducers", concurrentProducers},
		{"Durable", durable},
		{"Broadcast", broadcast},
		{"ProduceInto", produceInto},
		{"TooLarge", tooLarge},
		{"Sealed", sealed},
		{"SealedRepeats", sealedRepeats},
		{"SealedOutOfOrder", sealedOutOfOrder},
		{"SealLimits", sealLimits},
		{"Offsets", offsets},
		{"FetchLimits", fetchLimits},
		{"FetchWaits", fetchWaits},
		{"CommitAndRedelivery", redelivery},
		{"CommitNeverGoesBack", commitForward},
		{"CommitOfAReader", commitOfAReader},
		{"TwoGroups", twoGroups},
		{"SeveralTopics", severalTopics},
		{"Rebalance", rebalance},
		{"LostPartitions", lostPartitions},
		{"ReadFromOffsets", readFrom},
		{"ReadFromOffsetsThatAreGone", readGone},
		{"ReadPartitions", readPartitions},
		{"Members", members},
		{"LagsTell", lagsTell},
		{"LagsOfNothing", lagsOfNothing},
		{"ClaimsMove", claimsMove},
		{"ClaimsCommit", claimsCommit},
		{"ClaimsEnd", claimsEnd},
		{"GroupAfterTrim", groupAfterTrim},
		{"Cancel", cancel},
		{"CloseWhileFetching", closeWhileFetching},
		{"Closed", closed},
		{"ManyMessages", manyMessages},
		{"Latency", latency},
	} {
		t.Run(test.name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			s := newSuite(t, f)
			test.run(s)
			if err := s.b.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			goleak.VerifyNone(t, ignore)
		})
	}
}

// suite is what one test works with.
type suite struct {
	*testing.T
	f     Factory
	b     bus.Bus
	ctx   context.Context
	topic string // made, with partitions partitions
	group string // new
}

const partitions = 4

func newSuite(t *testing.T, f Factory) *suite {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(end)
	s := &suite{T: t, f: f, b: f.Open(t), ctx: ctx}
	t.Cleanup(func() { _ = s.b.Close() })
	s.topic, s.group = s.name(), s.name()
	s.make(s.topic, partitions)
	return s
}

// name returns one that no other run has.
func (s *suite) name() string { return "t." + rand.Text()[:16] }

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) make(topic string, n int) {
	s.Helper()
	s.ok(s.b.EnsureTopics(s.ctx, bus.TopicSpec{Name: topic, Partitions: n}))
}

func (s *suite) produce(ms ...bus.Message) {
	s.Helper()
	s.ok(s.b.Produce(s.ctx, s.topic, ms...))
}

func (s *suite) consume(b bus.Bus) bus.Consumer {
	s.Helper()
	c, err := b.Consume(s.ctx, s.group, s.topic)
	s.ok(err)
	return c
}

func (s *suite) read(from bus.Position) bus.Consumer {
	s.Helper()
	c, err := s.b.Read(s.ctx, s.topic, from)
	s.ok(err)
	return c
}

// fetch collects n messages, and fails if more come than asked for.
func (s *suite) fetch(c bus.Consumer, n int) []bus.Message {
	s.Helper()
	var out []bus.Message
	for len(out) < n {
		ms, err := c.Fetch(s.ctx, n-len(out))
		if err != nil {
			s.Fatalf("fetching after %d of %d: %v", len(out), n, err)
		}
		if len(ms) == 0 || len(ms) > n-len(out) {
			s.Fatalf("Fetch(%d) returned %d messages", n-len(out), len(ms))
		}
		out = append(out, ms...)
	}
	return out
}

// nothing makes sure that all of a consumer's messages have come, by a last message that it produces everywhere.
func (s *suite) nothing(c bus.Consumer) {
	s.Helper()
	s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: []byte("last")}))
	for range partitions {
		if m := s.fetch(c, 1)[0]; string(m.Value) != "last" {
			s.Fatalf("message %q came once too often", m.Value)
		}
	}
}

// numbered makes messages with keys going round and values that tell them apart.
func numbered(from, n, keys int) []bus.Message {
	out := make([]bus.Message, n)
	for i := range out {
		out[i] = bus.Message{
			Key:   fmt.Appendf(nil, "key-%d", (from+i)%keys),
			Value: fmt.Appendf(nil, "%09d", from+i),
		}
	}
	return out
}
