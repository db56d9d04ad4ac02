package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// fetchWait is how long a broker holds an empty fetch; it answers as soon as there is a message.
const fetchWait = 500 * time.Millisecond

// chunk is what one fetch of one partition brought.
type chunk struct {
	session *session
	ms      []bus.Message
	end     int64 // the partition's next offset, which is not older than asked
	asked   time.Time
}

// reader fetches one partition ahead of its consumer, by one chunk.
type reader struct {
	place
	bus     *Bus
	session *session
	group   string
	bytes   int64
	offset  int64 // next to be fetched; kafka.FirstOffset for the oldest
	out     chan<- chunk
}

// run fetches until ctx ends, whatever happens to the broker meanwhile.
func (r *reader) run(ctx context.Context) {
	var pause pauser
	out := r.bus.outage(fmt.Sprintf("fetching partition %d of %q", r.partition, r.topic))
	for ctx.Err() == nil {
		c, err := r.fetch(ctx)
		switch {
		case err == nil:
			out.over()
			pause = pauser{}
			r.deliver(ctx, c)
		case ctx.Err() != nil:
			return
		case errors.Is(err, kafka.OffsetOutOfRange):
			r.reset()
		default:
			if _, why := r.bus.lookup(ctx, r.topic); why != nil {
				err = why // fetching only says that it knows no broker
			}
			out.failed(err)
			r.bus.metrics.failures.WithLabelValues(r.topic, r.group).Inc()
			r.bus.refresh()
			pause.wait(ctx, r.bus.ctx)
		}
	}
}

func (r *reader) fetch(ctx context.Context) (chunk, error) {
	if r.offset < 0 {
		starts, err := r.bus.Starts(ctx, r.topic)
		if err != nil {
			return chunk{}, err
		}
		r.offset = starts[r.partition]
		r.session.began(r.place, r.offset)
	}
	asked := time.Now()
	res, err := r.bus.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: r.topic, Partition: r.partition, Offset: r.offset, MinBytes: 1, MaxBytes: r.bytes, MaxWait: fetchWait,
	})
	if err != nil {
		return chunk{}, err
	}
	if res.Error != nil {
		return chunk{}, res.Error
	}
	ms, err := decode(res.Records, r.place, r.offset)
	if len(ms) == 0 && err != nil {
		return chunk{}, err
	}
	if len(ms) == 0 && r.offset < res.HighWatermark {
		// Compaction or a transaction's marker left nothing here. kafka-go does not tell where the batch ends.
		r.offset++
	}
	return chunk{session: r.session, ms: ms, end: res.HighWatermark, asked: asked}, nil
}

func (r *reader) deliver(ctx context.Context, c chunk) {
	r.session.sawEnd(r.place, c.end, c.asked)
	if len(c.ms) == 0 {
		return
	}
	r.session.sawMessage(&c.ms[0])
	select {
	case r.out <- c:
		r.offset = c.ms[len(c.ms)-1].Offset + 1
	case <-ctx.Done():
	}
}

// reset begins again at the oldest message.
func (r *reader) reset() {
	r.bus.metrics.skipped.WithLabelValues(r.topic, r.group).Inc()
	r.bus.log.WithField("topic", r.topic).WithField("partition", r.partition).WithField("group", r.group).
		WithField("offset", r.offset).Warn("Position is no longer there; reading from the oldest message")
	r.offset = kafka.FirstOffset
}
