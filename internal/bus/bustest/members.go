package bustest

import (
	"time"

	"imwatch/internal/bus"
)

// members lets consumers and claims come and go: a group counts them all.
func members(s *suite) {
	s.members(0)
	a, b := s.consume(s.b), s.consume(s.b)
	s.members(2)
	s.ok(a.Close())
	s.members(1)
	s.ok(b.Close())
	s.members(0)

	s.group = s.name()
	claims, err := s.b.Claims(s.ctx, s.group, s.topic)
	s.ok(err)
	s.members(1)
	s.ok(claims.Close())
	s.members(0)

	if _, err := s.b.Committed(s.ctx, s.group, s.topic); err != nil { // asking made no group of it
		s.Error(err)
	}
	s.produce(bus.Message{Value: []byte("v")})
}

// members waits until the group has so many.
func (s *suite) members(want int) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := s.b.Members(s.ctx, s.group)
		if err != nil {
			s.Fatalf("waiting for %d members: %v", want, err)
		}
		if n == want {
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.Fatalf("waited in vain for %d members: %d are there", want, n)
		}
	}
}
