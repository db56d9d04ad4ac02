package chunk

import (
	"slices"
	"sync"
	"time"

	"imwatch/shipper/index"
)

var _ index.Looker = (*Sink)(nil)

// shown is what others see of a sink, as it was when it was called last.
type shown struct {
	mu sync.Mutex
	index.Look
}

// Look tells what is held and how the keeper answered last. Safe for concurrent use.
func (s *Sink) Look() index.Look {
	s.shown.mu.Lock()
	defer s.shown.mu.Unlock()
	return index.Look{Held: slices.Clone(s.shown.Held), Answers: s.shown.Answers}
}

// Holds is how long messages wait for their chunk at most while all goes well.
func (s *Sink) Holds() time.Duration { return s.cfg.Age }

// show has others see what is held now.
func (s *Sink) show() {
	s.metrics.held.Set(float64(s.bytes))
	s.shown.mu.Lock()
	defer s.shown.mu.Unlock()
	s.shown.Held = s.shown.Held[:0]
	for _, h := range s.held {
		if len(h.items) > 0 {
			s.shown.Held = append(s.shown.Held, index.Held{Topic: h.at.Topic, Partition: h.at.Partition, From: h.span.From, To: h.span.To, Bytes: h.bytes, Since: h.since})
		}
	}
}

// answered has others see how the keeper answered.
func (s *Sink) answered(err error) {
	s.shown.mu.Lock()
	defer s.shown.mu.Unlock()
	if err != nil {
		s.shown.Answers.Failed(err, s.deps.Now())
		return
	}
	s.shown.Answers.Took(s.deps.Now())
}
