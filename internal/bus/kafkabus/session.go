package kafkabus

import (
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// session is the time during which a set of partitions is ours: a generation of a group, or a reader's whole life.
type session struct {
	gen   *kafka.Generation // nil for a reader
	ended chan struct{}     // closed when the partitions are no longer ours
	abort func()            // ends it early; set before it is shown to anybody
	group string

	all      *lags
	patience time.Duration // how often the ends are asked for

	mu        sync.Mutex
	over      bool
	committed map[place]int64
	reach     map[place]*reach
}

func newSession(group string, all *lags, patience time.Duration) *session {
	s := &session{ended: make(chan struct{}), group: group, all: all, patience: patience, committed: map[place]int64{}, reach: map[place]*reach{}}
	all.add(s)
	return s
}

func (s *session) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// end marks the partitions as lost: their lag is that of others.
func (s *session) end() {
	s.all.remove(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	close(s.ended)
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
			if r := s.reach[at]; r != nil {
				r.stored.Done(c.Offset)
			}
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
