package kafkabus_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

// TestLagWhileNothingIsFetched holds the lag to what is produced while its consumer is paused.
func TestLagWhileNothingIsFetched(t *testing.T) {
	lagGrows(t, broker(t, t.TempDir(), 0).Addr())
}

func TestLagWhileNothingIsFetchedOnKafka(t *testing.T) { lagGrows(t, realKafka(t)) }

// measured is a bus and what its metrics say.
type measured struct {
	*kafkabus.Bus
	reg *prometheus.Registry
}

func connectMeasured(t *testing.T, address string) measured {
	t.Helper()
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{address}
	m := measured{reg: prometheus.NewRegistry()}
	var err error
	if m.Bus, err = kafkabus.New(cfg, logTo(t), m.reg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	m.EndsEvery(50 * time.Millisecond)
	return m
}

func (m measured) value(t *testing.T, name string) float64 {
	t.Helper()
	families, err := m.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) == 1 {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// until waits for a value.
func (m measured) until(ctx context.Context, t *testing.T, name string, ok func(float64) bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok(m.value(t, name)) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s is %v", name, m.value(t, name))
		}
	}
}

const lagMessages, lagSeconds = "im_bus_consumer_lag_messages", "im_bus_consumer_lag_seconds"

func lagGrows(t *testing.T, address string) {
	t.Helper()
	m := connectMeasured(t, address)
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	topic := fmt.Sprintf("t.lag-%d", time.Now().UnixNano())
	if err := m.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	c, err := m.Consume(ctx, topic, topic)
	if err != nil {
		t.Fatal(err)
	}
	produce := func(n int) {
		t.Helper()
		ms := make([]bus.Message, n)
		for i := range ms {
			ms[i].Partition = i % 2
		}
		if err := m.ProduceInto(ctx, topic, ms...); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want float64) func(float64) bool { return func(got float64) bool { return got == want } }
	produce(100)
	m.until(ctx, t, lagMessages, is(100)) // nothing was ever handed out
	for range 10 {
		produce(100)
	}
	m.until(ctx, t, lagMessages, is(1100))
	was := m.value(t, lagSeconds)
	m.until(ctx, t, lagSeconds, func(s float64) bool { return s > was+0.1 })

	left := 1100
	var ms []bus.Message
	for left > 0 {
		more, err := c.Fetch(ctx, left)
		if err != nil {
			t.Fatal(err)
		}
		ms, left = append(ms, more...), left-len(more)
	}
	m.until(ctx, t, lagMessages, is(0))
	m.until(ctx, t, lagSeconds, is(0))
	lags := c.(bus.Lagger).Lags() //nolint:forcetypeassert // it is one
	if len(lags) != 2 || lags[0].Next != 550 || lags[0].End != 550 || lags[0].Committed != 0 {
		t.Errorf("%+v", lags)
	}
	if err := c.Commit(ctx, ms...); err != nil {
		t.Fatal(err)
	}
	if lags = c.(bus.Lagger).Lags(); lags[1].Committed != 550 || lags[1].Stored.IsZero() { //nolint:forcetypeassert // it is one
		t.Errorf("%+v", lags)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if lags = c.(bus.Lagger).Lags(); lags != nil { //nolint:forcetypeassert // it is one
		t.Errorf("closed, and has %+v", lags)
	}
}

// TestLagWithoutABroker: whoever cannot see the end does not claim to be there.
func TestLagWithoutABroker(t *testing.T) {
	dir := t.TempDir()
	first := broker(t, dir, 0)
	_, p, _ := net.SplitHostPort(first.Addr())
	port, _ := strconv.Atoi(p)
	m := connectMeasured(t, first.Addr())
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	if err := m.EnsureTopics(ctx, bus.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(ctx, "t", nil); err != nil {
		t.Fatal(err)
	}
	m.until(ctx, t, lagMessages, func(n float64) bool { return n == 0 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	m.until(ctx, t, lagSeconds, func(s float64) bool { return s > 0.3 })
	broker(t, dir, port)
	m.until(ctx, t, lagSeconds, func(s float64) bool { return s == 0 })
}
