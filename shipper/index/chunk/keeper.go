package chunk

import (
	"context"
	"fmt"

	"imwatch/shipper/index"
)

// Place is one partition of one topic.
type Place struct {
	Topic     string
	Partition int
}

// String gives topic and partition, in a form that a file name may have.
func (p Place) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

// Span is a run of offsets, both ends included.
type Span struct{ From, To int64 }

// Chunk is what a span of a partition's messages made: everything that is in it, in order, and each document once.
type Chunk struct {
	Place
	Span
	Items []index.Item // documents only
}

// Keeper is where chunks are kept. Used by one goroutine of this process, but by other processes at the same time.
type Keeper interface {
	// Span lays down that the chunk that begins at want.From ends at want.To, unless it was laid down before how the
	// partition is cut there: then it gives that. What it gives holds want.From, and reaches into no other span. It
	// survives a crash once given.
	Span(ctx context.Context, at Place, want Span) (Span, error)
	// Keep makes the chunk durable and visible. With a chunk that is there already it changes nothing.
	Keep(ctx context.Context, c Chunk) error
}

// Cut gives the span that holds want.From among those laid down, of which near has at least the last one that begins
// at or before want.From and the first one behind it, in order; or want, cut to what is free.
func Cut(near []Span, want Span) (span Span, laidDown bool) {
	for _, s := range near {
		switch {
		case s.From <= want.From && want.From <= s.To:
			return s, true
		case s.From > want.From:
			want.To = min(want.To, s.From-1)
			return want, false
		}
	}
	return want, false
}
