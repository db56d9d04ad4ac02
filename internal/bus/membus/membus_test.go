package membus_test

import (
	"testing"

	"go.uber.org/goleak"

	"imwatch/internal/bus"
	"imwatch/internal/bus/bustest"
	"imwatch/internal/bus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	bustest.Run(t, bustest.Factory{
		Open: func(testing.TB) bus.Bus { return membus.New() },
		Trim: func(tb testing.TB, b bus.Bus, topic string, partition int, before int64) {
			tb.Helper()
			if err := b.(*membus.Bus).Trim(topic, partition, before); err != nil {
				tb.Fatal(err)
			}
		},
	})
}

func BenchmarkBus(b *testing.B) {
	bustest.Benchmark(b, bustest.Factory{Open: func(testing.TB) bus.Bus { return membus.New() }})
}
