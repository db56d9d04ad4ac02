package bustest

import (
	"time"

	"imwatch/internal/bus"
)

// lagsTell holds what a consumer tells of its lag to what was produced, handed out and committed.
func lagsTell(s *suite) {
	const n = 200
	c := s.consume(s.b)
	var after time.Time
	for i := range 2 {
		s.produce(numbered(0, n/2, 1)...) // into one partition
		if i == 0 {
			after = time.Now()
		}
	}
	l := s.lagsUntil(c, func(l bus.Lag) bool { return l.End == n })
	if l.Next != 0 || l.Committed != 0 || l.Seen.IsZero() || l.Stored.After(after) {
		s.Errorf("with nothing fetched: %+v", l)
	}
	ms := s.fetch(c, n)
	l = s.lagsUntil(c, func(l bus.Lag) bool { return l.Next == n })
	if l.Committed != 0 || l.Stored.After(after) {
		s.Errorf("with nothing committed: %+v", l)
	}
	s.ok(c.Commit(s.ctx, ms...))
	asked := time.Now()
	s.lagsUntil(c, func(l bus.Lag) bool { return l.Committed == n && l.End == n && l.Stored.After(asked) })

	other := s.consume(s.b)
	shared := func(c bus.Consumer) func() bool { return func() bool { return len(s.lags(c)) == partitions/2 } }
	s.eventually("the partitions to be shared", shared(c), shared(other))
	s.ok(c.Close())
	if l := s.lags(c); l != nil {
		s.Errorf("closed, and has %v", l)
	}
}

// lagsOfNothing: who has no partitions says so, and who reads without a group has committed what was handed out.
func lagsOfNothing(s *suite) {
	s.topic = s.name()
	s.make(s.topic, 1)
	a, b := s.consume(s.b), s.consume(s.b)
	s.eventually("one of two to have nothing", func() bool {
		x, y := s.lags(a), s.lags(b)
		return x != nil && y != nil && len(x)+len(y) == 1
	})
	s.produce(numbered(0, 3, 1)...)
	r := s.read(nil)
	s.fetch(r, 2)
	s.eventually("a reader's place", func() bool {
		l := s.lags(r)
		return len(l) == 1 && l[0].Next == 2 && l[0].Committed == 2 && l[0].End == 3
	})
}

func (s *suite) lags(c bus.Consumer) []bus.Lag {
	s.Helper()
	l, ok := c.(bus.Lagger)
	if !ok {
		s.Fatalf("%T tells no lag", c)
	}
	return l.Lags()
}

// lagsUntil waits until the partition of the messages that numbered makes with one key is as wanted.
func (s *suite) lagsUntil(c bus.Consumer, ok func(bus.Lag) bool) (found bus.Lag) {
	s.Helper()
	s.eventually("the lag", func() bool {
		for _, l := range s.lags(c) {
			if l.End > 0 {
				found = l
				return ok(l)
			}
		}
		return false
	})
	return found
}

// eventually waits until all are so.
func (s *suite) eventually(what string, all ...func() bool) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		so := true
		for _, is := range all {
			so = so && is()
		}
		if so {
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.Fatalf("waited in vain for %s", what)
		}
	}
}
