package bustest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"

	"imwatch/internal/bus"
)

// seal makes one batch of messages that fit into one.
func (s *suite) seal(ms ...bus.Message) []byte {
	s.Helper()
	b, n, err := s.b.Seal(nil, ms, nil)
	s.ok(err)
	if n != len(ms) {
		s.Fatalf("of %d small messages %d were sealed", len(ms), n)
	}
	return b
}

func (s *suite) identify() bus.Identity {
	s.Helper()
	id, err := s.b.Identify(s.ctx)
	s.ok(err)
	return id
}

// produceSealed sends a copy: stamping changes the bytes.
func (s *suite) produceSealed(partition int, id bus.Identity, sequence int32, sealed []byte) error {
	return s.b.ProduceSealed(s.ctx, s.topic, partition, bus.Stamp{Identity: id, Sequence: sequence}, slices.Clone(sealed))
}

// sealed reads back what went in, from each partition what was sent into it, beside what others produce.
func sealed(s *suite) {
	n, err := s.b.Partitions(s.ctx, s.topic)
	s.ok(err)
	if n != partitions {
		s.Fatalf("%d partitions, want %d", n, partitions)
	}
	if _, err := s.b.Partitions(s.ctx, s.name()); !errors.Is(err, bus.ErrUnknownTopic) {
		s.Errorf("the partitions of an unknown topic: %v", err)
	}
	id := s.identify()
	const batches, each = 5, 40
	ms := numbered(0, batches*each*partitions, 7)
	ms[3].Key, ms[5].Value = nil, bytes.Repeat([]byte("0123456789"), 5000)
	var wg sync.WaitGroup
	for p := range partitions {
		wg.Go(func() {
			for i := range batches {
				from := (p*batches + i) * each
				if err := s.produceSealed(p, id, int32(i*each), s.seal(ms[from:from+each]...)); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: []byte("others")}))
	next := map[int]int{}
	for _, m := range s.fetch(s.read(nil), len(ms)+partitions) {
		i := next[m.Partition]
		next[m.Partition]++
		if i == batches*each {
			if string(m.Value) != "others" {
				s.Errorf("partition %d ends with %q", m.Partition, m.Value)
			}
			continue
		}
		if want := ms[m.Partition*batches*each+i]; !bytes.Equal(want.Key, m.Key) || !bytes.Equal(want.Value, m.Value) || m.Time.IsZero() {
			s.Fatalf("partition %d, message %d is %q %q, want %q %q", m.Partition, i, m.Key, m.Value, want.Key, want.Value)
		}
	}
	back, err := s.b.Unseal(s.seal(ms[:3]...))
	s.ok(err)
	if len(back) != 3 || !bytes.Equal(back[2].Value, ms[2].Value) || !bytes.Equal(back[1].Key, ms[1].Key) {
		s.Errorf("unsealed %v", back)
	}
}

// sealedRepeats sends batches again, as one does whose answers were lost, from another connection too.
func sealedRepeats(s *suite) {
	id := s.identify()
	other := s.f.Open(s.T)
	defer func() { s.ok(other.Close()) }()
	const batches, each = 5, 10
	var all [][]byte
	for i := range batches {
		all = append(all, s.seal(numbered(i*each, each, 3)...))
		s.ok(s.produceSealed(1, id, int32(i*each), all[i]))
		s.ok(s.produceSealed(1, id, int32(i*each), all[i]))
	}
	for i, b := range all {
		s.ok(s.produceSealed(1, id, int32(i*each), b))
	}
	last := s.seal(bus.Message{Key: []byte("k"), Value: []byte("end")})
	s.ok(s.produceSealed(1, id, batches*each, last))
	s.ok(s.produceSealed(2, id, 0, last)) // each partition has its own sequence
	ends, err := s.b.Ends(s.ctx, s.topic)
	s.ok(err)
	if ends[1] != batches*each+1 || ends[2] != 1 {
		s.Errorf("the ends are %v: repeats were written, or something else was not", ends)
	}
}

// sealedOutOfOrder leaves something out, and sends what is too old to be recognised.
func sealedOutOfOrder(s *suite) {
	id := s.identify()
	const batches = 8
	batch := func(i int) []byte { return s.seal(numbered(i*10, 10, 3)...) }
	for i := range batches {
		s.ok(s.produceSealed(0, id, int32(i*10), batch(i)))
	}
	for what, sequence := range map[string]int32{"a gap": batches*10 + 10, "an old one": 0, "an overlap": 75} {
		if err := s.produceSealed(0, id, sequence, batch(1)); !errors.Is(err, bus.ErrSequence) {
			s.Errorf("%s: %v", what, err)
		}
	}
	s.ok(s.produceSealed(0, id, batches*10, batch(batches))) // a refusal changes nothing
	other := s.identify()
	if other == id {
		s.Fatalf("%v was given twice", id)
	}
	s.ok(s.produceSealed(0, other, 0, batch(0)))
	ends, err := s.b.Ends(s.ctx, s.topic)
	s.ok(err)
	if ends[0] != (batches+2)*10 {
		s.Errorf("the ends are %v", ends)
	}
	if err := s.produceSealed(0, other, 10, []byte("no batch")); err == nil {
		s.Error("bytes that are no batch were taken")
	}
}

func sealLimits(s *suite) {
	noise := make([]byte, 8<<20)
	_, _ = rand.Read(noise)
	small := bus.Message{Key: []byte("k"), Value: []byte("small")}
	_, _, err := s.b.Seal(nil, []bus.Message{small, {Value: noise}}, []int32{1, 0})
	if large, typed := errors.AsType[*bus.TooLargeError](err); !typed || large.Index != 1 {
		s.Errorf("sealing %d bytes: %v", len(noise), err)
	}
	ms := []bus.Message{small, {Value: noise[:600_000]}, small, {Value: noise[:600_000]}, {Value: noise}}
	pick := []int32{0, 1, 2, 3, 4}
	var got []string
	dst := []byte("before")
	for len(pick) > 0 {
		out, n, err := s.b.Seal(dst, ms, pick)
		if errors.Is(err, bus.ErrTooLarge) {
			got = append(got, "large")
			pick = pick[1:]
			continue
		}
		s.ok(err)
		if !strings.HasPrefix(string(out), "before") || n == 0 {
			s.Fatalf("Seal gave %d messages and something else in front of them", n)
		}
		back, err := s.b.Unseal(out[len(dst):])
		s.ok(err)
		for i, m := range back {
			if !bytes.Equal(m.Value, ms[pick[i]].Value) {
				s.Errorf("message %d is another", pick[i])
			}
		}
		got = append(got, strings.Repeat("m", n))
		pick = pick[n:]
	}
	if !slices.Equal(got, []string{"mmm", "m", "large"}) {
		s.Errorf("sealed %v", got)
	}
	if out, n, err := s.b.Seal(nil, nil, nil); len(out) > 0 || n > 0 || err != nil {
		s.Errorf("sealing nothing: %d bytes, %d messages, %v", len(out), n, err)
	}
}
