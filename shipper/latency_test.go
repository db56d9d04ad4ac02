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
type arrivals struct {
	Bus
	came chan time.Time
}

func (a arrivals) ProduceSealed(_ context.Context, topic string, _ int, _ bus.Stamp, _ []byte) error {
	if topic == bus.TopicLifecycle { // one record in each
		a.came <- time.Now()
	}
	return nil
}

// BenchmarkLineToBus measures the time from a line's being written to its being handed to the bus.
func BenchmarkLineToBus(b *testing.B) {
	dir := b.TempDir()
	live := filepath.Join(dir, "app.log")
	came := make(chan time.Time, 16)
	appendTo(b, live, line("im-1", 0, epoch)+"\n")
	stop := start(b, config(dir, live), arrivals{newBus(b), came})
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
