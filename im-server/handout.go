package imserver

import "sync"

// handout is one going round of messages to sessions. What is the same for all of them is looked at and counted once. It
// is begun with newHandout and finished with end; not safe for concurrent use.
type handout struct {
	s     *Server
	now   int64   // clock
	most  int     // messages that may be given
	kept  int     // messages that were
	bytes int     // that were queued
	conns []*conn // that have something to be written, and nobody who does
}

// newHandout begins a handout of at most so many messages, counted once for each session.
func (s *Server) newHandout(most int) *handout {
	h, _ := s.handouts.Get().(*handout)
	h.s, h.now, h.most = s, s.clock(), most
	s.metrics.delivery.pending.Add(float64(most)) // before, for an acknowledgement may be quicker than the rest
	return h
}

// end sees to it that what was given is written.
func (h *handout) end() {
	s := h.s
	s.metrics.delivery.pending.Sub(float64(h.most - h.kept))
	s.queuedBytes.Add(int64(h.bytes))
	s.flusher.add(h.conns)
	clear(h.conns)
	*h = handout{conns: h.conns[:0]}
	if cap(h.conns) <= flushKeep {
		s.handouts.Put(h)
	}
}

func newHandouts() *sync.Pool { return &sync.Pool{New: func() any { return new(handout) }} }
