package shipper

import (
	"context"
	"time"

	"imwatch/shipper/queue"
)

// discover learns how many partitions the topics have, and makes their lanes. What is known from before need not be
// asked for, so that a shipper that is started while the broker is away fills its queue.
func (s *sender) discover(ctx context.Context) error {
	for i, topic := range topics() {
		n := 0
		for at := range s.lanes {
			if at.topic == topic {
				n = max(n, at.partition+1)
			}
		}
		if n == 0 {
			err := s.insist(ctx, "looking up "+topic, func() (err error) {
				n, err = s.bus.Partitions(ctx, topic)
				return err
			})
			if err != nil {
				return err
			}
		}
		s.grow(ctx, i, n)
	}
	for _, l := range s.lanes {
		s.begin(ctx, l)
	}
	s.reached.Store(true)
	return nil
}

// grow makes the lanes of a topic's first n partitions.
func (s *sender) grow(ctx context.Context, topic, n int) {
	s.sealer.partitions[topic] = max(n, s.sealer.partitions[topic])
	for p := range n {
		s.lane(ctx, place{topics()[topic], p})
	}
}

// lane gives the lane into a partition. A new one begins with an identity of its own.
func (s *sender) lane(ctx context.Context, at place) *lane {
	l := s.lanes[at]
	if l == nil {
		l = s.newLane(queue.Position{Topic: at.topic, Partition: at.partition, From: 1})
		if s.positions != nil {
			l.slot = s.positions.Add()
		}
		if err := l.note(false); err != nil {
			s.metrics.queueErrors.Inc()
			s.trouble(err, "a new partition could not be noted")
		}
		s.begin(ctx, l)
	}
	return l
}

func (s *sender) newLane(at queue.Position) *lane {
	l := &lane{place: place{at.Topic, at.Partition}, sender: s, at: at, known: at.Acked, wake: make(chan struct{}, 1)}
	l.acked.Store(at.Acked)
	s.lanes[l.place] = l
	return l
}

func (s *sender) begin(ctx context.Context, l *lane) {
	if !l.begun {
		l.begun = true
		s.running.Go(func() { l.run(ctx) })
	}
}

// resume makes the lanes of an earlier life. Entries from next on are new, and come under new identities: what was
// sent under an old one is sent under it again as the very same, or not at all.
func (s *sender) resume(held []queue.Position, next uint64) error {
	for slot, at := range held {
		if at.Topic == "" {
			continue // damaged
		}
		at.Acked = min(at.Acked, next-1)
		if at.From == 0 {
			at.From = next
		}
		l := s.newLane(at)
		l.slot = slot
		if err := l.note(false); err != nil {
			return err
		}
	}
	return s.positions.Sync()
}

// lookForPartitions is how often it is looked whether the topics have got more.
const lookForPartitions = 30 * time.Second

// watchPartitions tells of partitions that are added.
func (s *sender) watchPartitions(ctx context.Context, found chan<- [2]int) {
	tick := time.NewTicker(lookForPartitions)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var n [2]int
		for i, topic := range topics() {
			var err error
			if n[i], err = s.bus.Partitions(ctx, topic); err != nil {
				n[i] = 0 // next time
			}
		}
		select {
		case found <- n:
		case <-ctx.Done():
		}
	}
}
