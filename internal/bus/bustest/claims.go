package bustest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"imwatch/internal/bus"
)

func produceInto(s *suite) {
	var ms []bus.Message
	for i := range 40 {
		ms = append(ms, bus.Message{Partition: i % 3, Key: []byte("same"), Value: fmt.Append(nil, i)})
	}
	s.ok(s.b.ProduceInto(s.ctx, s.topic, ms...))
	next := map[int]int{0: 0, 1: 1, 2: 2}
	for _, m := range s.fetch(s.read(nil), len(ms)) {
		if string(m.Value) != fmt.Sprint(next[m.Partition]) {
			s.Fatalf("partition %d holds %s, expected %d", m.Partition, m.Value, next[m.Partition])
		}
		next[m.Partition] += 3
	}
	for _, p := range []int{-1, partitions} {
		if err := s.b.ProduceInto(s.ctx, s.topic, bus.Message{Partition: 0, Value: []byte("v")}, bus.Message{Partition: p, Value: []byte("v")}); err == nil {
			s.Errorf("a message went into partition %d", p)
		}
	}
	ends, err := s.b.Ends(s.ctx, s.topic)
	s.ok(err)
	if ends[0] != 14 {
		s.Errorf("partition 0 ends at %d, expected nothing of the calls that failed", ends[0])
	}
}

func readPartitions(s *suite) {
	for i := range 5 {
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: fmt.Append(nil, i)}))
	}
	c, err := s.b.ReadPartitions(s.ctx, s.topic, bus.Position{1: 3, 2: 0})
	s.ok(err)
	count := map[int]int{}
	for _, m := range s.fetch(c, 2+5) {
		count[m.Partition]++
	}
	if count[1] != 2 || count[2] != 5 {
		s.Fatalf("messages by partition: %v", count)
	}
	s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: []byte("last")}))
	for range 2 {
		if m := s.fetch(c, 1)[0]; string(m.Value) != "last" || m.Partition != 1 && m.Partition != 2 {
			s.Fatalf("%q came from partition %d", m.Value, m.Partition)
		}
	}
	s.ok(c.Close())
}

func (s *suite) claims() bus.Claims {
	s.Helper()
	c, err := s.b.Claims(s.ctx, s.group, s.topic)
	s.ok(err)
	return c
}

func (s *suite) next(c bus.Claims) bus.Claim {
	s.Helper()
	claim, err := c.Next(s.ctx)
	s.ok(err)
	return claim
}

// shared waits until two members have a share each at the same time, and gives both.
func (s *suite) shared(a, b bus.Claims) (x, y bus.Claim) {
	s.Helper()
	type got struct {
		claim bus.Claim
		of    int
	}
	claims := make(chan got)
	ctx, stop := context.WithCancel(s.ctx)
	ended := make(chan struct{}, 2)
	for i, c := range []bus.Claims{a, b} {
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				claim, err := c.Next(ctx)
				if err != nil {
					return
				}
				select {
				case claims <- got{claim, i}:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	var now [2]bus.Claim
	for len(now[0].Partitions)+len(now[1].Partitions) != partitions || len(now[0].Partitions) != partitions/2 {
		select {
		case g := <-claims:
			now[g.of] = g.claim
		case <-s.ctx.Done():
			s.Fatalf("the group does not come to rest: %v", now)
		}
	}
	stop()
	<-ended
	<-ended
	return now[0], now[1]
}

// claimsMove follows the partitions through joining and leaving.
func claimsMove(s *suite) {
	first := s.claims()
	all := s.next(first)
	if !slices.Equal(all.Partitions, []int{0, 1, 2, 3}) {
		s.Fatalf("the only member has the partitions %v", all.Partitions)
	}
	select {
	case <-all.Lost:
		s.Fatal("they are lost, and nobody else is there")
	default:
	}
	second := s.claims()
	x, y := s.shared(first, second)
	if both := slices.Sorted(slices.Values(append(slices.Clone(x.Partitions), y.Partitions...))); !slices.Equal(both, all.Partitions) {
		s.Errorf("two members have %v and %v", x.Partitions, y.Partitions)
	}
	select {
	case <-all.Lost:
	default:
		s.Error("partitions went to another member and are not called lost")
	}
	s.ok(second.Close())
	s.lost(x)
	s.lost(y)
	if back := s.next(first); !slices.Equal(back.Partitions, all.Partitions) {
		s.Errorf("the remaining member has the partitions %v", back.Partitions)
	}
	s.ok(first.Close())
	s.ok(first.Close())
	if _, err := first.Next(s.ctx); !errors.Is(err, bus.ErrClosed) {
		s.Errorf("Next after Close: %v", err)
	}
}

// claimsCommit tells how far partitions were read: only forward, and only of those that are ours.
func claimsCommit(s *suite) {
	first := s.claims()
	s.next(first)
	s.ok(first.Commit(s.ctx, bus.Position{0: 5, 1: 7}))
	s.ok(first.Commit(s.ctx, bus.Position{0: 3, 1: 8, 2: 0, partitions + 3: 9}))
	s.committed(bus.Position{0: 5, 1: 8})
	second := s.claims()
	x, y := s.shared(first, second)
	theirs, ours := y.Partitions[0], x.Partitions[0]
	s.ok(first.Commit(s.ctx, bus.Position{theirs: 20, ours: 30}))
	want := bus.Position{0: 5, 1: 8}
	want[ours] = 30
	s.committed(want)
	s.ok(second.Close())
	s.ok(first.Close())
	if err := first.Commit(s.ctx, bus.Position{0: 40}); !errors.Is(err, bus.ErrClosed) {
		s.Errorf("Commit after Close: %v", err)
	}
}

func (s *suite) committed(want bus.Position) {
	s.Helper()
	got, err := s.b.Committed(s.ctx, s.group, s.topic)
	s.ok(err)
	if !maps.Equal(got, want) {
		s.Errorf("committed is %v, not %v", got, want)
	}
}

func (s *suite) lost(c bus.Claim) {
	s.Helper()
	select {
	case <-c.Lost:
	case <-s.ctx.Done():
		s.Fatal("a share that was given out anew is not called lost")
	}
}

func claimsEnd(s *suite) {
	c := s.claims()
	s.next(c)
	ctx, end := context.WithTimeout(s.ctx, 30*time.Millisecond)
	defer end()
	if _, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("Next beyond its time: %v", err)
	}
	got := make(chan error)
	go func() {
		_, err := c.Next(s.ctx)
		got <- err
	}()
	s.ok(c.Close())
	if err := <-got; !errors.Is(err, bus.ErrClosed) {
		s.Errorf("Next across Close: %v", err)
	}
	for _, topic := range []string{s.topic, s.name()} {
		group := s.group
		if topic == s.topic {
			group = ""
		}
		if _, err := s.b.Claims(s.ctx, group, topic); err == nil {
			s.Errorf("the group %q was joined for the topic %q", group, topic)
		}
	}
}
