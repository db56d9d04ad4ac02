package alerting_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/event"
)

// BenchmarkWhole measures 200 alerts from the bus to a webhook's acceptance, over the embedded store and a socket.
func BenchmarkWhole(b *testing.B) {
	w := newWorld(b)
	stop := w.run(nil)
	defer stop()
	const batch = 200
	n := 0
	for b.Loop() {
		for range batch {
			w.produce(with(state("a"+strconv.Itoa(n), event.StateFiring, time.Now().UTC(), 0), "critical", "webhook"))
			n++
		}
		if _, err := w.robot.Wait(context.Background(), func(ms []robot.Message) bool { return len(ms) >= n }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/alert")
}
