package kafkabus_test

import (
	"os"
	"testing"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/internal/bus"
	"imwatch/internal/bus/bustest"
	"imwatch/internal/bus/kafkabus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logTo makes a logger whose lines belong to the test.
func logTo(tb testing.TB) logrus.FieldLogger {
	tb.Helper()
	l := logrus.New()
	l.SetOutput(tb.Output())
	return l
}

// realKafka is the address of a real broker; a test that needs one is skipped without it.
func realKafka(tb testing.TB) string {
	tb.Helper()
	address := os.Getenv("IMWATCH_TEST_KAFKA")
	if address == "" {
		tb.Skip("IMWATCH_TEST_KAFKA=HOST:PORT names no real broker")
	}
	return address
}

func connect(tb testing.TB, address string) *kafkabus.Bus {
	tb.Helper()
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{address}
	b, err := kafkabus.New(cfg, logTo(tb), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Close() })
	return b
}

func onKafka(tb testing.TB) bustest.Factory {
	tb.Helper()
	address := realKafka(tb)
	return bustest.Factory{Open: func(tb testing.TB) bus.Bus {
		tb.Helper()
		return connect(tb, address)
	}}
}

func TestSuiteOnKafka(t *testing.T) { bustest.Run(t, onKafka(t)) }

func BenchmarkOnKafka(b *testing.B) { bustest.Benchmark(b, onKafka(b)) }
