package redis

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"imwatch/im-server/cluster"
)

// BenchmarkPublish publishes into rooms that nobody follows, alone and by many at once.
func BenchmarkPublish(b *testing.B) {
	addr := os.Getenv("IMWATCH_TEST_REDIS")
	if addr == "" {
		b.Skip("IMWATCH_TEST_REDIS is not set: HOST:PORT of a Redis server")
	}
	w := newWorld(b, addr)
	w.keep = cluster.DefaultKeep()
	b.Cleanup(func() { wipe(b, w.cfg) })
	n := w.start("a", "1")
	publish(b, n)
}

// BenchmarkPublishLost publishes into the journal.
func BenchmarkPublishLost(b *testing.B) {
	w := newWorld(b, "127.0.0.1:1")
	w.cfg.JournalBytes = 16 << 30
	n := w.start("a", "1")
	n.awaitUp(false)
	publish(b, n)
	if err := os.Remove(filepath.Join(w.dir, "a")); err != nil {
		b.Error(err)
	}
}

func publish(b *testing.B, n *testNode) {
	b.Helper()
	body := []byte(`{"text":"how are you today, and what about tomorrow?","kind":"text","thread":"0a1b2c3d"}`)
	var i atomic.Int64
	one := func(ctx context.Context) {
		k := i.Add(1)
		_, err := n.Publish(ctx, cluster.Message{
			Topic: "r:" + strconv.FormatInt(k%100, 10), From: "al", ID: strconv.FormatInt(k, 36) + strconv.Itoa(b.N), At: time.Now().UnixMilli(), Body: body,
		})
		if err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			one(b.Context())
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(200)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(b.Context())
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	})
}
