package imserver

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"imwatch/event"
)

// Clients of an overloaded node are told to come back after a random time between these.
const shedRetryMin, shedRetryMax = 2 * time.Second, 10 * time.Second

// shed keeps what waits for all clients together under its limit, however many are slow at once: those for whom most waits
// are closed until a quarter of the limit is free. Their sessions can be resumed.
func (s *Server) shed() {
	limit := s.conf().Limits.QueuesBytes
	waiting := s.queuedBytes.Load()
	if limit == 0 || waiting <= limit {
		return
	}
	type load struct {
		c     *conn
		bytes int
	}
	var loads []load
	for _, c := range s.hub.all() {
		c.mu.Lock()
		if c.out.bytes > 0 && !c.ending.begun {
			loads = append(loads, load{c, c.out.bytes})
		}
		c.mu.Unlock()
	}
	slices.SortFunc(loads, func(a, b load) int { return cmp.Compare(b.bytes, a.bytes) })
	ended := 0
	for _, l := range loads {
		if waiting <= limit/4*3 {
			break
		}
		if l.c.end(event.CloseOverload, shedRetryMin+rand.N(shedRetryMax-shedRetryMin), nil) { //nolint:gosec // a spread, not a secret
			waiting -= int64(l.bytes)
			ended++
		}
	}
	s.deps.Log.WithField("bytes", s.queuedBytes.Load()).WithField("limit", limit).WithField("connections", ended).
		Warn("too much waits for clients together; those with the most were closed")
}
