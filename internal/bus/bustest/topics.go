package bustest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/internal/bus"
)

func topics(s *suite) {
	fresh, compact := s.name(), s.name()
	specs := []bus.TopicSpec{
		{Name: s.topic, Partitions: 9}, // is there with another number
		{Name: fresh, Partitions: 3, Retention: time.Hour, Bytes: 64 << 20},
		{Name: compact, Partitions: 1, Compact: true},
	}
	for range 2 {
		s.ok(s.b.EnsureTopics(s.ctx, specs...))
	}
	for topic, want := range map[string]int{s.topic: partitions, fresh: 3, compact: 1} {
		ends, err := s.b.Ends(s.ctx, topic)
		s.ok(err)
		if len(ends) != want {
			s.Errorf("%s has the partitions %v, want %d", topic, ends, want)
		}
		s.ok(s.b.Broadcast(s.ctx, topic, bus.Message{Key: []byte("k"), Value: []byte("v")}))
	}
	for range 5 { // at once writable
		name := s.name()
		s.make(name, 6)
		s.ok(s.b.Broadcast(s.ctx, name, bus.Message{Value: []byte("first")}))
	}
	for _, bad := range []bus.TopicSpec{{Partitions: 1}, {Name: s.name()}} {
		if s.b.EnsureTopics(s.ctx, bad) == nil {
			s.Errorf("EnsureTopics took %+v", bad)
		}
	}
	s.ok(s.b.Ping(s.ctx))
}

func unknownTopic(s *suite) {
	name := s.name()
	_, consume := s.b.Consume(s.ctx, s.group, s.topic, name)
	_, read := s.b.Read(s.ctx, name, nil)
	_, ends := s.b.Ends(s.ctx, name)
	_, starts := s.b.Starts(s.ctx, name)
	_, committed := s.b.Committed(s.ctx, s.group, name)
	for call, err := range map[string]error{
		"Produce":   s.b.Produce(s.ctx, name, bus.Message{Value: []byte("v")}),
		"Broadcast": s.b.Broadcast(s.ctx, name, bus.Message{Value: []byte("v")}),
		"Consume":   consume, "Read": read, "Ends": ends, "Starts": starts, "Committed": committed,
	} {
		if !errors.Is(err, bus.ErrUnknownTopic) {
			s.Errorf("%s on an unknown topic: %v", call, err)
		}
	}
	s.make(name, 1) // and it is not held against the topic
	s.ok(s.b.Produce(s.ctx, name, bus.Message{Value: []byte("v")}))
}

func offsets(s *suite) {
	check := func(what string, want bus.Position, of func() (bus.Position, error)) {
		s.Helper()
		got, err := of()
		s.ok(err)
		if d := cmp.Diff(want, got); d != "" {
			s.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	ends := func() (bus.Position, error) { return s.b.Ends(s.ctx, s.topic) }
	starts := func() (bus.Position, error) { return s.b.Starts(s.ctx, s.topic) }
	committed := func() (bus.Position, error) { return s.b.Committed(s.ctx, s.group, s.topic) }
	zero := bus.Position{0: 0, 1: 0, 2: 0, 3: 0}
	check("ends of an empty topic", zero, ends)
	check("starts of an empty topic", zero, starts)
	check("committed by an unknown group", bus.Position{}, committed)

	for range 3 {
		s.ok(s.b.Broadcast(s.ctx, s.topic, bus.Message{Value: []byte("v")}))
	}
	c := s.consume(s.b)
	ms := s.fetch(c, 3*partitions)
	check("committed before any commit", bus.Position{}, committed)
	for _, m := range ms {
		if m.Partition == 2 && m.Offset == 1 {
			s.ok(c.Commit(s.ctx, m))
		}
	}
	check("ends", bus.Position{0: 3, 1: 3, 2: 3, 3: 3}, ends)
	check("starts", zero, starts)
	check("committed", bus.Position{2: 2}, committed)
	if s.f.Trim != nil {
		s.f.Trim(s, s.b, s.topic, 1, 2)
		check("starts after a trim", bus.Position{0: 0, 1: 2, 2: 0, 3: 0}, starts)
	}
}
