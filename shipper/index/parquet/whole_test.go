package parquet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
	"imwatch/shipper/index/chunk/chunktest"
)

// start runs an indexer with this sink until stop is called.
func start(tb testing.TB, b bus.Bus, cfg Config) (stop func()) {
	tb.Helper()
	k, err := New(cfg, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := chunk.New(cfg.Chunk, chunk.Deps{Keeper: k, Log: quiet(), Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	x, err := index.New(index.DefaultConfig(), index.Deps{Bus: b, Sink: s, Log: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	}
}

// Indexers come and go while events are produced; every message is in one file.
func TestIndexersComeAndGo(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for seed := range uint64(8) { // each draw of package chunk's test costs nothing; here each flushes a disk
		rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's
		cfg := DefaultConfig()
		cfg.Dir = fmt.Sprintf("%s/%d", base, seed)
		cfg.Compression = "none"
		cfg.Chunk.Bytes = 1<<10 + rng.IntN(7<<10)
		cfg.Chunk.Age = 3 * time.Second
		lives := make([]int, rng.IntN(5))
		for i := range lives {
			lives[i] = 1 + rng.IntN(4000)
		}
		const events = 60
		var fault string
		synctest.Test(t, func(t *testing.T) {
			b := membus.New()
			defer b.Close()
			if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 2}, bus.TopicSpec{Name: bus.TopicDeadLetter, Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			go func() {
				for n := range int64(events) {
					value := chunktest.Event(n, time.Now(), "info").Body
					if n%20 == 7 {
						value = []byte("not json")
					}
					if err := b.Produce(t.Context(), bus.TopicLifecycle, bus.Message{Key: fmt.Append(nil, n%5), Value: value}); err != nil {
						t.Error(err)
					}
					<-time.After(50 * time.Millisecond)
				}
			}()
			stay := start(t, b, cfg)
			for _, ms := range lives {
				stop := start(t, b, cfg)
				<-time.After(time.Duration(ms) * time.Millisecond)
				stop()
			}
			<-time.After(time.Minute)
			stay()
			ends, err := b.Ends(t.Context(), bus.TopicLifecycle)
			if err != nil {
				t.Fatal(err)
			}
			committed, err := b.Committed(t.Context(), index.DefaultConfig().Group, bus.TopicLifecycle)
			if err != nil {
				t.Fatal(err)
			}
			for p, end := range ends {
				if committed[p] != end {
					fault = fmt.Sprintf("partition %d: committed %d of %d", p, committed[p], end)
				}
			}
		})
		rows, seen := 0, map[string]int{}
		for path := range tree(t, cfg.Dir) {
			for _, id := range ids(t, cfg.Dir+"/"+path) {
				rows++
				seen[id]++
			}
		}
		for id, n := range seen {
			if n > 1 {
				fault = fmt.Sprintf("%s is in %d files", id, n)
			}
		}
		if rows != events {
			fault = fmt.Sprintf("%d rows of %d messages", rows, events)
		}
		if fault != "" {
			t.Errorf("seed %d: %s", seed, fault)
		}
	}
}
