package backtest

import (
	"context"
	"io"

	"imwatch/event"
	"imwatch/internal/bus"
)

// Sink takes in what a source holds, in the order of arrival. Events are only lent.
type Sink interface {
	// Hold says that a partition is going to be read, Release that nothing more comes from it.
	Hold(partition int)
	Release(partition int)
	Observe(partition int, ev *event.Event)
	// Advance is called between batches.
	Advance() error
}

// ReadLines hands the events and watermarks of JSON lines to a sink, all in partition 0. The summary counts the lines
// that cannot be read and tells some of them.
func ReadLines(ctx context.Context, src io.Reader, name string, sink Sink) (*Summary, error) {
	s := newSummary(name)
	return s, readLines(ctx, src, s, sink)
}

func readLines(ctx context.Context, src io.Reader, s *Summary, sink Sink) error {
	return eachLine(ctx, src, s, func(events []event.Event) error {
		for i := range events {
			sink.Observe(0, &events[i])
		}
		return sink.Advance()
	})
}

// ReadTopic hands what a topic holds when the reading begins to a sink, all partitions from the oldest message on. The
// summary is as for ReadLines.
func ReadTopic(ctx context.Context, b bus.Bus, topic string, sink Sink) (*Summary, error) {
	s := newSummary(topic)
	return s, readTopic(ctx, b, topic, s, sink)
}
