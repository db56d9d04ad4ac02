package index

import (
	"bytes"
	"context"
	"time"

	"imwatch/internal/bus"
)

// Item is one message on its way to a Sink, and what was made of it.
type Item struct {
	Topic     string
	Partition int
	Offset    int64
	Time      time.Time // when it was produced
	ID        string    // of the document; "" where the message makes none, as a watermark does
	Letter    bool      // the document is a dead letter
	Body      []byte    // the document: one JSON object; it belongs to the sink
}

// Progress is what a Sink has made of what it was given so far.
type Progress struct {
	Commit  []bus.Message // the last message of each partition up to which everything is kept for good
	Stored  int           // events kept since the last call
	Letters int           // dead letters kept since the last call
}

// Sink keeps events in another form than a store's documents. What it is given is the same whenever it is read again:
// nothing in it depends on the clock. Used by one goroutine.
type Sink interface {
	// Write takes items in the order of each partition; there may be none, for a sink that keeps what it holds after
	// some time. It insists until ctx ends: its error means that there is nothing more to hope for. After a rebalance a
	// partition may begin again before, at or after what was given last.
	Write(ctx context.Context, items []Item) (Progress, error)
}

// beat is how often a sink is called when there is nothing to write.
const beat = time.Second

// sinkWriter brings batches to a sink, one at a time.
type sinkWriter struct {
	cfg     Config
	now     func() time.Time
	sink    Sink
	metrics *metrics
}

func (w *sinkWriter) size() int                   { return w.cfg.BatchBytes }
func (w *sinkWriter) room(_, _, batches int) bool { return batches == 0 }
func (w *sinkWriter) every() time.Duration        { return beat }

func (w *sinkWriter) write(ctx context.Context, b *batch) ([]bus.Message, error) {
	start := w.now()
	items := make([]Item, len(b.items))
	for i, it := range b.items {
		items[i] = Item{
			Topic: it.from.Topic, Partition: it.from.Partition, Offset: it.from.Offset, Time: it.from.Time,
			ID: it.doc.ID, Letter: it.letter, Body: it.doc.Body,
		}
		if it.letter {
			items[i].Body = bytes.Clone(it.doc.Body) // it lies in the batch's arena
		}
	}
	p, err := w.sink.Write(ctx, items)
	if err != nil {
		return nil, err
	}
	w.metrics.count(outcomeStored, p.Stored)
	w.metrics.count(outcomeDeadLetter, p.Letters)
	if len(items) > 0 {
		w.metrics.batch.Observe(w.now().Sub(start).Seconds())
	}
	return p.Commit, nil
}
