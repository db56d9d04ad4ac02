package kafkabus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// Read reads all partitions of a topic without a group; see bus.Bus. Partitions that are added later are read from
// their oldest message.
func (b *Bus) Read(ctx context.Context, topic string, from bus.Position) (bus.Consumer, error) {
	n, err := b.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	r, err := b.openReading(topic, from, n)
	if err != nil {
		return nil, err
	}
	for p := range n {
		r.start(p)
	}
	r.readers.Go(func() { b.watch(r.life, topic, n, r.start) })
	return r.consumer, nil
}

// ReadPartitions reads some partitions of a topic without a group; see bus.Bus.
func (b *Bus) ReadPartitions(ctx context.Context, topic string, from bus.Position) (bus.Consumer, error) {
	n, err := b.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	for p := range from {
		if p < 0 || p >= n {
			return nil, fmt.Errorf("reading %q: there is no partition %d of %d", topic, p, n)
		}
	}
	r, err := b.openReading(topic, from, len(from))
	if err != nil {
		return nil, err
	}
	for p := range from {
		r.start(p)
	}
	return r.consumer, nil
}

// reading is a consumer without a group and the readers that feed it.
type reading struct {
	consumer *consumer
	topic    string
	from     bus.Position
	session  *session
	bytes    int64
	life     context.Context
	readers  sync.WaitGroup
}

func (b *Bus) openReading(topic string, from bus.Position, partitions int) (*reading, error) {
	c, err := b.open("")
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", topic, err)
	}
	r := &reading{consumer: c, topic: topic, from: from, session: c.newSession(), bytes: b.share(partitions)}
	var end context.CancelFunc
	r.life, end = context.WithCancel(b.ctx)
	c.leave = func() {
		end()
		r.readers.Wait()
		r.session.end()
	}
	r.readers.Go(func() { b.watchEnds(r.life, r.session, []string{topic}) })
	return r, nil
}

func (r *reading) start(p int) {
	one := &reader{
		place: place{r.topic, p}, bus: r.consumer.bus, session: r.session, out: r.consumer.in, bytes: r.bytes, offset: kafka.FirstOffset,
	}
	if off, named := r.from[p]; named && off >= 0 {
		one.offset = off
		r.session.began(one.place, off)
	}
	r.readers.Go(func() { one.run(r.life) })
}

// share is how many bytes one of n partitions may hold at once: beyond some batches more makes nothing faster, and
// unpacked, of each partition two answers are held, it is ten times as much.
func (b *Bus) share(n int) int64 {
	const least, most = 64 << 10, 512 << 10
	return int64(min(max(b.cfg.FetchBytes/max(n, 1), least), most))
}

// watch starts a reader for each partition beyond the first n, as they come.
func (b *Bus) watch(ctx context.Context, topic string, n int, start func(int)) {
	tick := time.NewTicker(b.watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := b.lookup(ctx, topic)
		for ; err == nil && n < now; n++ {
			start(n)
		}
	}
}
