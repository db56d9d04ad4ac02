package backtest

import (
	"context"
	"fmt"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
)

// fetchSize is how many messages are asked for at once.
const fetchSize = 4096

// Topic runs rules over what a topic holds when the run begins, all partitions from the oldest message on. Events
// produced later are not looked at.
func Topic(ctx context.Context, b bus.Bus, topic string, o Options) (*Summary, error) {
	began := time.Now()
	r, err := newRun(o, topic)
	if err != nil {
		return newSummary(topic), err
	}
	err = readTopic(ctx, b, topic, r.summary, r)
	if err == nil {
		err = r.finish()
	}
	r.summary.Took = time.Since(began)
	return r.summary, err
}

func readTopic(ctx context.Context, b bus.Bus, topic string, s *Summary, sink Sink) error {
	starts, err := b.Starts(ctx, topic)
	if err != nil {
		return fmt.Errorf("asking where %s begins: %w", topic, err)
	}
	ends, err := b.Ends(ctx, topic)
	if err != nil {
		return fmt.Errorf("asking where %s ends: %w", topic, err)
	}
	for p, end := range ends {
		if starts[p] >= end {
			delete(ends, p)
			continue
		}
		sink.Hold(p)
	}
	if len(ends) == 0 {
		return nil
	}
	consumer, err := b.Read(ctx, topic, starts)
	if err != nil {
		return fmt.Errorf("reading %s: %w", topic, err)
	}
	defer consumer.Close()
	for len(ends) > 0 {
		ms, err := consumer.Fetch(ctx, fetchSize)
		if err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		for i := range ms {
			takeMessage(&ms[i], ends, s, sink)
		}
		if err := sink.Advance(); err != nil {
			return err
		}
	}
	return nil
}

// takeMessage takes in one message, if it lies before the end of its partition, and ends the partition after its last.
func takeMessage(m *bus.Message, ends bus.Position, s *Summary, sink Sink) {
	end, open := ends[m.Partition]
	if !open {
		return
	}
	if m.Offset < end {
		var ev event.Event
		place := fmt.Sprintf("partition %d offset %d", m.Partition, m.Offset)
		if err := event.Decode(m.Value, &ev); err != nil {
			s.bad(place, err)
		} else {
			if ev.ID() == "" {
				ev.SetText(event.FieldEventID, place)
			}
			sink.Observe(m.Partition, &ev)
		}
	}
	if m.Offset+1 >= end {
		sink.Release(m.Partition)
		delete(ends, m.Partition)
	}
}
