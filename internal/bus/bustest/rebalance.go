package bustest

import (
	"context"
	"errors"
	"sync"

	"imwatch/internal/bus"
)

// worker fetches and commits until told to stop, and notes what it saw.
type worker struct {
	c    bus.Consumer
	stop context.CancelFunc
	done chan struct{}
}

// tally is what all workers of a group saw.
type tally struct {
	mu      sync.Mutex
	values  map[string]int
	by      map[*worker]map[int]bool // partitions
	changed chan struct{}
}

func (s *suite) work(t *tally) *worker {
	s.Helper()
	ctx, stop := context.WithCancel(s.ctx)
	w := &worker{c: s.consume(s.b), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			ms, err := w.c.Fetch(ctx, 100)
			if err == nil {
				t.note(w, ms)
				err = w.c.Commit(ctx, ms...)
			}
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					s.Errorf("a worker: %v", err)
				}
				return
			}
		}
	}()
	return w
}

func (t *tally) note(w *worker, ms []bus.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[w] == nil {
		t.by[w] = map[int]bool{}
	}
	for _, m := range ms {
		t.values[string(m.Value)]++
		t.by[w][m.Partition] = true
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// until waits for a condition on the tally.
func (s *suite) until(t *tally, what string, met func() bool) {
	s.Helper()
	for {
		t.mu.Lock()
		ok, changed := met(), t.changed
		t.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			s.Fatalf("waited in vain until %s", what)
		}
	}
}

func newTally() *tally {
	return &tally{values: map[string]int{}, by: map[*worker]map[int]bool{}, changed: make(chan struct{})}
}

// rebalance lets a second worker join while messages flow, and the first one leave: no message is lost.
func rebalance(s *suite) {
	t := newTally()
	sent := 0
	feed := func() {
		s.produce(numbered(sent, 40, 16)...)
		sent += 40
	}
	all := func() bool { return len(t.values) == sent }
	first := s.work(t)
	feed()
	s.until(t, "one worker has all", all)

	second := s.work(t)
	for shared := false; !shared; {
		feed()
		s.until(t, "all are seen", all)
		t.mu.Lock()
		shared = len(t.by[second]) > 0
		t.mu.Unlock()
	}
	t.mu.Lock()
	clear(t.by[first])
	clear(t.by[second])
	t.mu.Unlock()
	for range 20 {
		feed()
	}
	s.until(t, "all are seen", all)
	t.mu.Lock()
	for p := range t.by[first] {
		if t.by[second][p] {
			s.Errorf("partition %d was read by both: %v", p, t.by)
		}
	}
	if len(t.by[first]) != partitions/2 || len(t.by[second]) != partitions/2 {
		s.Errorf("the partitions are not shared evenly: %v and %v", t.by[first], t.by[second])
	}
	t.mu.Unlock()

	first.stop()
	<-first.done
	s.ok(first.c.Close())
	for range 5 {
		feed()
	}
	s.until(t, "the remaining worker has all", all)
	second.stop()
	<-second.done
	s.ok(second.c.Close())
}

// lostPartitions holds messages across a rebalance: those of partitions that were lost neither come any more nor can
// they be committed.
func lostPartitions(s *suite) {
	for range 20 {
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: []byte("v")}))
	}
	first := s.consume(s.b)
	held := s.fetch(first, 20*partitions)

	second := s.consume(s.b)
	theirs := map[int]bool{}
	for len(theirs) < partitions/2 {
		ms, err := second.Fetch(s.ctx, 1000)
		s.ok(err)
		for _, m := range ms {
			theirs[m.Partition] = true
		}
	}
	s.ok(first.Commit(s.ctx, held...))
	pos, err := s.b.Committed(s.ctx, s.group, s.topic)
	s.ok(err)
	for p := range partitions {
		off, committed := pos[p]
		if theirs[p] && committed {
			s.Errorf("partition %d is the second consumer's, and the first committed %d", p, off)
		}
		if !theirs[p] && off != 20 {
			s.Errorf("partition %d is still the first consumer's, and committed is %d (%v)", p, off, committed)
		}
	}
	s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: []byte("new")}))
	for range partitions / 2 {
		for _, m := range s.untilNew(first) {
			if theirs[m.Partition] {
				s.Errorf("the first consumer was given a message of partition %d, which it has lost", m.Partition)
			}
		}
	}
}

// untilNew fetches up to the next message that was produced after the rebalance; older ones may be delivered again.
func (s *suite) untilNew(c bus.Consumer) []bus.Message {
	s.Helper()
	for {
		if ms := s.fetch(c, 1); string(ms[0].Value) == "new" {
			return ms
		}
	}
}
