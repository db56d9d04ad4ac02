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
	c, err := b.open("")
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", topic, err)
	}
	life, end := context.WithCancel(b.ctx)
	s := c.newSession()
	var wg sync.WaitGroup
	start := func(p int) {
		r := &reader{
			place: place{topic, p}, bus: b, session: s, out: c.in,
			bytes: b.share(n), offset: kafka.FirstOffset,
		}
		if off, named := from[p]; named && off >= 0 {
			r.offset = off
		}
		wg.Go(func() { r.run(life) })
	}
	for p := range n {
		start(p)
	}
	wg.Go(func() { b.watch(life, topic, n, start) })
	c.leave = func() {
		end()
		wg.Wait()
		s.end()
	}
	return c, nil
}

// share is how many bytes one of n partitions may hold at once.
func (b *Bus) share(n int) int64 {
	const least, most = 64 << 10, 1 << 20
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
