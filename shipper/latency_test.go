package shipper

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"imwatch/internal/bus"
)

// arrivals tells when each record came.
type arrivals chan time.Time

func (a arrivals) Produce(_ context.Context, topic string, ms ...bus.Message) error {
	if topic == bus.TopicLifecycle {
		for range ms {
			a <- time.Now()
		}
	}
	return nil
}

func (a arrivals) Broadcast(context.Context, string, bus.Message) error { return nil }

// BenchmarkLineToBus measures the time from a line's being written to its being handed to the bus.
func BenchmarkLineToBus(b *testing.B) {
	dir := b.TempDir()
	live := filepath.Join(dir, "app.log")
	came := make(arrivals, 16)
	appendTo(b, live, line("im-1", 0, epoch)+"\n")
	stop := start(b, config(dir, live), came)
	<-came
	var took []time.Duration
	for n := 1; b.Loop(); n++ {
		begin := time.Now()
		appendTo(b, live, line("im-1", n, epoch)+"\n")
		took = append(took, (<-came).Sub(begin))
	}
	stop()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-us")
}
