package kafkabus

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// session is the time during which a set of partitions is ours: a generation of a group, or a reader's whole life.
type session struct {
	gen   *kafka.Generation // nil for a reader
	ended chan struct{}     // closed when the partitions are no longer ours
	abort func()            // ends it early; set before it is shown to anybody
	lag   func(topic string) prometheus.Gauge

	mu        sync.Mutex
	over      bool
	committed map[place]int64
	reach     map[place]reach
}

// reach is how far a partition has been handed out, and how far it goes.
type reach struct{ next, end int64 }

func newSession(lag func(topic string) prometheus.Gauge) *session {
	return &session{ended: make(chan struct{}), lag: lag, committed: map[place]int64{}, reach: map[place]reach{}}
}

func (s *session) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// end marks the partitions as lost and takes their lag out of the gauge.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	close(s.ended)
	for at, r := range s.reach {
		s.lag(at.topic).Sub(float64(r.end - r.next))
	}
}

// sawEnd notes a partition's end that a fetch brought along.
func (s *session) sawEnd(at place, end int64) {
	s.move(at, func(r reach) reach {
		if r == (reach{}) {
			return reach{end, end} // nothing was there to hand out
		}
		return reach{r.next, max(end, r.next)}
	})
}

// handedOut notes that the messages of one partition up to offset next have been handed out.
func (s *session) handedOut(at place, next, end int64) {
	s.move(at, func(r reach) reach { return reach{next, max(end, next, r.end)} })
}

func (s *session) move(at place, to func(reach) reach) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	was := s.reach[at]
	now := to(was)
	s.reach[at] = now
	s.lag(at.topic).Add(float64(now.end - now.next - (was.end - was.next)))
}

// ahead returns those offsets that are ours to commit and lie beyond what is committed.
func (s *session) ahead(offsets map[place]int64) map[string][]kafka.OffsetCommit {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]kafka.OffsetCommit{}
	for at, off := range offsets {
		if was, ours := s.committed[at]; ours && off > was {
			out[at.topic] = append(out[at.topic], kafka.OffsetCommit{Partition: at.partition, Offset: off})
		}
	}
	return out
}

// noteCommitted remembers what the broker has stored.
func (s *session) noteCommitted(done map[string][]kafka.OffsetCommit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, cs := range done {
		for _, c := range cs {
			at := place{topic, c.Partition}
			s.committed[at] = max(s.committed[at], c.Offset)
		}
	}
}

// farthest reduces messages to the offset after the last of each partition.
func farthest(ms []bus.Message) map[place]int64 {
	out := map[place]int64{}
	for i := range ms {
		at := place{ms[i].Topic, ms[i].Partition}
		if next := ms[i].Offset + 1; next > out[at] {
			out[at] = next
		}
	}
	return out
}
