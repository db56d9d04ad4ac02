package bustest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"imwatch/internal/bus"
)

func roundTrip(s *suite) {
	before := time.Now().Add(-time.Minute)
	want := []bus.Message{
		{Topic: s.topic, Key: []byte("k"), Value: []byte("value")},
		{Topic: s.topic, Key: []byte("k"), Value: bytes.Repeat([]byte("0123456789"), 20_000)},
		{Topic: s.topic, Key: []byte("k"), Value: []byte{}},
		{Topic: s.topic, Key: []byte("k"), Value: []byte("\x00\xff\n")},
		{Topic: s.topic, Key: []byte("k"), Value: []byte("end")},
	}
	s.produce(want...)
	p := bus.Partition([]byte("k"), partitions)
	for i := range want {
		want[i].Partition, want[i].Offset = p, int64(i)
	}
	got := s.fetch(s.read(nil), len(want))
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(bus.Message{}, "Time"), cmp.Comparer(bytes.Equal)); d != "" {
		s.Fatalf("read something else than was produced (-want +got):\n%s", d)
	}
	for _, m := range got {
		if m.Time.Before(before) || m.Time.After(time.Now().Add(time.Minute)) {
			s.Errorf("time %s is not that of producing", m.Time)
		}
	}
}

// memory changes everything that is the caller's right after the call.
func memory(s *suite) {
	value, key := []byte("first"), []byte("k")
	s.produce(bus.Message{Key: key, Value: value})
	copy(value, "other")
	copy(key, "x")
	c := s.read(nil)
	got := s.fetch(c, 1)[0]
	if string(got.Value) != "first" || string(got.Key) != "k" {
		s.Fatalf("the bus kept the caller's memory: %q, %q", got.Key, got.Value)
	}
	copy(got.Value, "mine!")
	_ = append(got.Key, "more"...)
	if again := s.fetch(s.read(nil), 1)[0]; string(again.Value) != "first" {
		s.Fatalf("the receiver's memory is the bus's: %q", again.Value)
	}
}

func orderPerKey(s *suite) {
	const n, keys = 5000, 37
	ms := numbered(0, n, keys)
	for len(ms) > 0 {
		k := min(len(ms), 1+len(ms)%977)
		s.produce(ms[:k]...)
		ms = ms[k:]
	}
	last := map[string]string{}
	home := map[string]int{}
	for _, m := range s.fetch(s.read(nil), n) {
		key := string(m.Key)
		if v := string(m.Value); v <= last[key] {
			s.Fatalf("%s: %s came after %s", key, v, last[key])
		}
		last[key] = string(m.Value)
		if p, seen := home[key]; seen && p != m.Partition {
			s.Fatalf("%s is in the partitions %d and %d", key, p, m.Partition)
		}
		home[key] = m.Partition
		if want := bus.Partition(m.Key, partitions); m.Partition != want {
			s.Fatalf("%s is in partition %d, bus.Partition says %d", key, m.Partition, want)
		}
	}
	if len(last) != keys {
		s.Fatalf("%d keys of %d", len(last), keys)
	}
}

func keyless(s *suite) {
	const n = 4000
	ms := make([]bus.Message, n)
	for i := range ms {
		ms[i].Value = fmt.Append(nil, i)
	}
	s.produce(ms...)
	for range partitions {
		s.produce(bus.Message{Value: []byte("single")})
	}
	used := map[int]int{}
	for _, m := range s.fetch(s.read(nil), n+partitions) {
		used[m.Partition]++
	}
	if len(used) != partitions {
		s.Fatalf("messages without a key went to %v only", used)
	}
}

func concurrentProducers(s *suite) {
	const producers, calls, each = 8, 10, 10
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for c := range calls {
				ms := make([]bus.Message, each)
				for i := range ms {
					ms[i] = bus.Message{Key: fmt.Append(nil, p), Value: fmt.Appendf(nil, "%d/%06d", p, c*each+i)}
				}
				if err := s.b.Produce(s.ctx, s.topic, ms...); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	last := map[string]string{}
	for _, m := range s.fetch(s.read(nil), producers*calls*each) {
		if v := string(m.Value); v <= last[string(m.Key)] {
			s.Fatalf("%s came after %s", v, last[string(m.Key)])
		}
		last[string(m.Key)] = string(m.Value)
	}
}

// durable checks that what Produce has acknowledged is there for whoever asks next.
func durable(s *suite) {
	for i := range 20 {
		s.produce(numbered(i*10, 10, 7)...)
		ends, err := s.b.Ends(s.ctx, s.topic)
		s.ok(err)
		var sum int64
		for _, e := range ends {
			sum += e
		}
		if want := int64(i+1) * 10; sum != want {
			s.Fatalf("%d messages are acknowledged, the ends %v say %d", want, ends, sum)
		}
	}
}

func broadcast(s *suite) {
	const rounds, each = 6, 50
	for r := range rounds {
		var wg sync.WaitGroup
		for h := range 2 {
			wg.Go(func() {
				if err := s.b.Produce(s.ctx, s.topic, numbered((2*r+h)*each, each, 11)...); err != nil {
					s.Error(err)
				}
			})
		}
		wg.Wait()
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Key: []byte("mark"), Value: fmt.Appendf(nil, "%09d", (r+1)*2*each)}))
	}
	mark := make([]string, partitions)
	marks := make([]int, partitions)
	for _, m := range s.fetch(s.read(nil), rounds*(2*each+partitions)) {
		switch v := string(m.Value); {
		case string(m.Key) == "mark":
			mark[m.Partition] = v
			marks[m.Partition]++
		case v < mark[m.Partition]:
			s.Fatalf("%s stands behind the mark %s", v, mark[m.Partition])
		}
	}
	for p, n := range marks {
		if n != rounds {
			s.Errorf("partition %d has %d marks, not %d", p, n, rounds)
		}
	}
}

func tooLarge(s *suite) {
	noise := make([]byte, 8<<20) // does not compress
	_, _ = rand.Read(noise)
	small := bus.Message{Key: []byte("k"), Value: []byte("small")}
	err := s.b.Produce(s.ctx, s.topic, small, bus.Message{Key: []byte("k"), Value: noise}, small)
	large, typed := errors.AsType[*bus.TooLargeError](err)
	if !errors.Is(err, bus.ErrTooLarge) || !typed || large.Index != 1 {
		s.Fatalf("a message of %d bytes: %v", len(noise), err)
	}
	if err := s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: noise}); !errors.Is(err, bus.ErrTooLarge) {
		s.Fatalf("a broadcast of %d bytes: %v", len(noise), err)
	}
	ends, err := s.b.Ends(s.ctx, s.topic)
	s.ok(err)
	s.produce(small) // the way is free afterwards
	if got := s.fetch(s.read(ends), 1)[0]; string(got.Value) != "small" {
		s.Fatalf("read %q", got.Value)
	}
	// Many that fit are no such error, whatever they add up to.
	s.produce(bus.Message{Value: noise[:900_000]}, bus.Message{Value: noise[:900_000]}, bus.Message{Value: noise[:900_000]})
}
