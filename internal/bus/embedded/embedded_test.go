package embedded_test

import (
	"io"
	"testing"

	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/internal/bus/bustest"
	"imwatch/internal/bus/embedded"
)

func quiet() logrus.FieldLogger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// open opens a broker that is closed when the test ends.
func open(tb testing.TB, change func(*embedded.Config)) *embedded.Bus {
	tb.Helper()
	cfg := embedded.DefaultConfig()
	cfg.Dir = tb.TempDir()
	if change != nil {
		change(&cfg)
	}
	b, err := embedded.Open(cfg, quiet(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Close() })
	return b
}

func openBus(tb testing.TB) bus.Bus {
	tb.Helper()
	return open(tb, nil)
}

func TestSuite(t *testing.T) {
	bustest.Run(t, bustest.Factory{
		Open: openBus,
		Trim: func(tb testing.TB, b bus.Bus, topic string, partition int, before int64) {
			tb.Helper()
			if err := embedded.Broker(b.(*embedded.Bus)).DeleteRecords(topic, int32(partition), before); err != nil {
				tb.Fatal(err)
			}
		},
	})
}

func BenchmarkBus(b *testing.B) {
	bustest.Benchmark(b, bustest.Factory{Open: openBus})
}
