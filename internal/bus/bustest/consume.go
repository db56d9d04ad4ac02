package bustest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"imwatch/internal/bus"
)

func fetchLimits(s *suite) {
	s.produce(numbered(0, 100, 10)...)
	c := s.read(nil)
	for _, limit := range []int{0, -1} {
		if _, err := c.Fetch(s.ctx, limit); err == nil {
			s.Errorf("Fetch(%d) is no error", limit)
		}
	}
	s.fetch(c, 1)
	s.fetch(c, 7)
	s.fetch(c, 92)
	s.nothing(c)
}

// fetchWaits produces only when the Fetch is under way.
func fetchWaits(s *suite) {
	c := s.consume(s.b)
	got := make(chan []bus.Message)
	go func() {
		ms, _ := c.Fetch(s.ctx, 10)
		got <- ms
	}()
	select {
	case ms := <-got:
		s.Fatalf("Fetch returned %d messages of an empty topic", len(ms))
	case <-time.After(50 * time.Millisecond):
	}
	s.produce(bus.Message{Value: []byte("v")})
	if ms := <-got; len(ms) != 1 || string(ms[0].Value) != "v" {
		s.Fatalf("fetched %v", ms)
	}
}

func redelivery(s *suite) {
	const n = 300
	s.produce(numbered(0, n, 20)...)
	c := s.consume(s.b)
	ms := s.fetch(c, n)
	done := map[int]int64{} // the first half of each partition
	for _, m := range ms {
		if m.Offset < 20 {
			s.ok(c.Commit(s.ctx, m))
			done[m.Partition] = max(done[m.Partition], m.Offset+1)
		}
	}
	s.ok(c.Commit(s.ctx))
	s.ok(c.Close())
	want := n
	for _, d := range done {
		want -= int(d)
	}

	other := s.f.Open(s)
	defer other.Close()
	if same, err := other.Ends(s.ctx, s.topic); err != nil || len(same) == 0 {
		other = s.b // a log of its own: go on with the first connection
	}
	c = s.consume(other)
	for _, m := range s.fetch(c, want) {
		if m.Offset < done[m.Partition] {
			s.Fatalf("offset %d of partition %d was committed and came again", m.Offset, m.Partition)
		}
	}
	s.nothing(c)
}

func commitForward(s *suite) {
	s.make(s.topic, partitions)
	for range 3 {
		s.produce(numbered(0, 1, 1)...)
	}
	c := s.consume(s.b)
	ms := s.fetch(c, 3)
	s.ok(c.Commit(s.ctx, ms[2]))
	s.ok(c.Commit(s.ctx, ms[0]))
	pos, err := s.b.Committed(s.ctx, s.group, s.topic)
	s.ok(err)
	if pos[ms[0].Partition] != 3 {
		s.Fatalf("committed %v after committing offset 2 and then 0", pos)
	}
}

func commitOfAReader(s *suite) {
	s.produce(numbered(0, 1, 1)...)
	c := s.read(nil)
	ms := s.fetch(c, 1)
	if c.Commit(s.ctx, ms...) == nil {
		s.Fatal("a reader without a group could commit")
	}
}

func twoGroups(s *suite) {
	const n = 100
	s.produce(numbered(0, n, 10)...)
	a := s.consume(s.b)
	b, err := s.b.Consume(s.ctx, s.name(), s.topic)
	s.ok(err)
	ms := s.fetch(a, n)
	s.ok(a.Commit(s.ctx, ms...))
	s.fetch(b, n)
}

func severalTopics(s *suite) {
	const n = 50
	second := s.name()
	s.make(second, 2)
	c, err := s.b.Consume(s.ctx, s.group, s.topic, second)
	s.ok(err)
	s.produce(numbered(0, n, 10)...)
	s.ok(s.b.Produce(s.ctx, second, numbered(n, n, 10)...))
	seen := map[string]int{}
	ms := s.fetch(c, 2*n)
	for _, m := range ms {
		seen[m.Topic]++
	}
	if seen[s.topic] != n || seen[second] != n {
		s.Fatalf("fetched %v, want %d of each", seen, n)
	}
	s.ok(c.Commit(s.ctx, ms...))
	for _, topic := range []string{s.topic, second} {
		ends, err := s.b.Ends(s.ctx, topic)
		s.ok(err)
		pos, err := s.b.Committed(s.ctx, s.group, topic)
		s.ok(err)
		for p, off := range pos {
			if off != ends[p] {
				s.Errorf("%s: committed %v, ends %v", topic, pos, ends)
			}
		}
	}
}

func readFrom(s *suite) {
	for i := range 5 {
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: fmt.Append(nil, i)}))
	}
	c := s.read(bus.Position{0: 3, 1: 5, 2: 0}) // 1 at its end, 3 not named
	count := map[int]int{}
	for _, m := range s.fetch(c, 2+0+5+5) {
		count[m.Partition]++
		if m.Partition == 0 && m.Offset < 3 {
			s.Errorf("offset %d of partition 0 came, reading from 3", m.Offset)
		}
	}
	if count[0] != 2 || count[1] != 0 || count[2] != 5 || count[3] != 5 {
		s.Fatalf("messages by partition: %v", count)
	}
	s.nothing(c)
}

// readGone reads from offsets that never were, or are no more: both mean from the oldest.
func readGone(s *suite) {
	for i := range 5 {
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: fmt.Append(nil, i)}))
	}
	from, want := bus.Position{0: 1000, 1: -7, 2: 5}, 5+5+0+5
	if s.f.Trim != nil {
		s.f.Trim(s, s.b, s.topic, 3, 4)
		from[3], want = 1, 5+5+0+1
	}
	c := s.read(from)
	s.fetch(c, want)
	s.nothing(c)
}

// groupAfterTrim lets a group come back when what it has not read is gone.
func groupAfterTrim(s *suite) {
	if s.f.Trim == nil {
		return
	}
	for i := range 10 {
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: fmt.Append(nil, i)}))
	}
	c := s.consume(s.b)
	for _, m := range s.fetch(c, 10*partitions) {
		if m.Offset == 2 {
			s.ok(c.Commit(s.ctx, m))
		}
	}
	s.ok(c.Close())
	s.f.Trim(s, s.b, s.topic, 0, 8) // beyond the commit
	s.f.Trim(s, s.b, s.topic, 1, 1) // before it
	c = s.consume(s.b)
	s.fetch(c, 2+7+7+7)
	s.nothing(c)
}

func cancel(s *suite) {
	c := s.consume(s.b)
	ctx, end := context.WithTimeout(s.ctx, 30*time.Millisecond)
	defer end()
	if _, err := c.Fetch(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("Fetch beyond its time: %v", err)
	}
	gone, stop := context.WithCancel(s.ctx)
	stop()
	if _, err := c.Fetch(gone, 1); !errors.Is(err, context.Canceled) {
		s.Errorf("Fetch after its end: %v", err)
	}
	if err := s.b.Produce(gone, s.topic, bus.Message{Value: []byte("v")}); !errors.Is(err, context.Canceled) {
		s.Errorf("Produce after its end: %v", err)
	}
	if err := c.Commit(gone, bus.Message{Topic: s.topic}); !errors.Is(err, context.Canceled) {
		s.Errorf("Commit after its end: %v", err)
	}
	if _, err := s.b.Ends(gone, s.topic); !errors.Is(err, context.Canceled) {
		s.Errorf("Ends after its end: %v", err)
	}
	ends, err := s.b.Ends(s.ctx, s.topic)
	s.ok(err)
	s.produce(bus.Message{Value: []byte("after")}) // nothing is broken by all that
	var before int64
	for _, e := range ends {
		before += e
	}
	if ms := s.fetch(c, int(before)+1); string(ms[before].Value) != "after" && before == 0 {
		s.Errorf("fetched %q", ms[before].Value)
	}
}

func closeWhileFetching(s *suite) {
	for _, c := range []bus.Consumer{s.consume(s.b), s.read(nil)} {
		got := make(chan error)
		go func() {
			_, err := c.Fetch(s.ctx, 1)
			got <- err
		}()
		select {
		case err := <-got:
			s.Fatalf("Fetch of an empty topic returned: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		s.ok(c.Close())
		if err := <-got; !errors.Is(err, bus.ErrClosed) {
			s.Fatalf("Fetch across Close: %v", err)
		}
		if _, err := c.Fetch(s.ctx, 1); !errors.Is(err, bus.ErrClosed) {
			s.Fatalf("Fetch after Close: %v", err)
		}
		s.ok(c.Close())
	}
}

func closed(s *suite) {
	s.produce(numbered(0, 10, 3)...)
	c := s.consume(s.b)
	ms := s.fetch(c, 10)
	s.ok(s.b.Close())
	s.ok(s.b.Close())
	_, fetch := c.Fetch(s.ctx, 1)
	_, consume := s.b.Consume(s.ctx, s.group, s.topic)
	_, read := s.b.Read(s.ctx, s.topic, nil)
	_, ends := s.b.Ends(s.ctx, s.topic)
	for call, err := range map[string]error{
		"Fetch": fetch, "Consume": consume, "Read": read, "Ends": ends,
		"Commit":       c.Commit(s.ctx, ms...),
		"Produce":      s.b.Produce(s.ctx, s.topic, ms...),
		"Broadcast":    s.b.Broadcast(s.ctx, s.topic, ms[0]),
		"EnsureTopics": s.b.EnsureTopics(s.ctx, bus.TopicSpec{Name: s.name(), Partitions: 1}),
		"Ping":         s.b.Ping(s.ctx),
	} {
		if !errors.Is(err, bus.ErrClosed) {
			s.Errorf("%s on a closed bus: %v", call, err)
		}
	}
	s.ok(c.Close())
}

func manyMessages(s *suite) {
	const n, call = 30_000, 3000
	go func() {
		for i := 0; i < n; i += call {
			if err := s.b.Produce(s.ctx, s.topic, numbered(i, call, 500)...); err != nil {
				s.Error(err)
				return
			}
		}
	}()
	c := s.consume(s.b)
	seen := make([]bool, n)
	next := map[int]int64{}
	for got := 0; got < n; {
		ms, err := c.Fetch(s.ctx, 2000)
		s.ok(err)
		for _, m := range ms {
			var i int
			if _, err := fmt.Sscanf(string(m.Value), "%d", &i); err != nil || seen[i] {
				s.Fatalf("%q came twice or is none of ours", m.Value)
			}
			seen[i] = true
			if m.Offset != next[m.Partition] {
				s.Fatalf("partition %d: offset %d came, not %d", m.Partition, m.Offset, next[m.Partition])
			}
			next[m.Partition]++
		}
		got += len(ms)
		s.ok(c.Commit(s.ctx, ms...))
	}
	s.nothing(c)
}

// latency checks that a message does not wait for others to fill a batch, on either side.
func latency(s *suite) {
	c := s.consume(s.b)
	s.produce(bus.Message{Value: []byte("warm")})
	s.fetch(c, 1)
	var took []time.Duration
	for range 11 {
		start := time.Now()
		s.produce(bus.Message{Key: []byte("k"), Value: []byte("v")})
		s.fetch(c, 1)
		took = append(took, time.Since(start))
	}
	best := took[0]
	for _, d := range took {
		best = min(best, d)
	}
	s.Logf("from Produce to Fetch: %v", took)
	if best > 50*time.Millisecond {
		s.Errorf("a message took %s at best from Produce to Fetch", best)
	}
}
