package kafkabus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
	"imwatch/internal/bus/kafkabus"
)

// broker starts the embedded broker; it is closed with the test if not before.
func broker(tb testing.TB, dir string, port int) *embedded.Bus {
	tb.Helper()
	cfg := embedded.DefaultConfig()
	cfg.Dir, cfg.Port = dir, port
	b, err := embedded.Open(cfg, logTo(tb), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Close() })
	return b
}

// TestPartitioner holds our partitioner to the one that kafka-go offers for agreeing with Kafka's own clients.
func TestPartitioner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "key")
		n := rapid.IntRange(1, 100).Draw(t, "partitions")
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		want := kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, all...)
		if got := bus.Partition(key, n); got != want {
			t.Fatalf("key %x of %d: %d, not %d", key, n, got, want)
		}
	})
}

// TestBrokerComesBack stops a broker under a producer and a consumer and starts it again on its data: both go on.
func TestBrokerComesBack(t *testing.T) {
	dir := t.TempDir()
	first := broker(t, dir, 0)
	_, p, _ := net.SplitHostPort(first.Addr())
	port, _ := strconv.Atoi(p)
	b := connect(t, first.Addr())
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	const topic = "t"
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	c, err := b.Consume(ctx, "g", topic)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	fetch := func(n int) {
		t.Helper()
		for len(seen) < n {
			ms, err := c.Fetch(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ms {
				seen[string(m.Value)] = true
			}
			if err := c.Commit(ctx, ms...); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce := func(i int) error {
		return b.Produce(ctx, topic, bus.Message{Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)})
	}
	for i := range 10 {
		if err := produce(i); err != nil {
			t.Fatal(err)
		}
	}
	fetch(10)
	for round := range 2 {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Ping(ctx); err == nil {
			t.Error("Ping of a broker that is away is no error")
		}
		done := make(chan error, 1)
		go func() { done <- produce(10 + round) }()
		select {
		case err := <-done:
			t.Fatalf("Produce without a broker: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		first = broker(t, dir, port)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		fetch(11 + round)
		if err := b.Ping(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestNoBroker has nobody at the address.
func TestNoBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b := connect(t, address)
	ctx, end := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer end()
	err = b.Produce(ctx, "t", bus.Message{Value: []byte("v")})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Produce should say that its time is over, and why it took so long: %v", err)
	}
	if err := b.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("Ping: %v", err)
	}
}

// TestNewPartitions adds partitions to a topic that is being consumed and read.
func TestNewPartitions(t *testing.T) {
	server := broker(t, t.TempDir(), 0)
	b := connect(t, server.Addr())
	b.WatchEvery(20 * time.Millisecond)
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	const topic = "t"
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	group, err := b.Consume(ctx, "g", topic)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := b.Read(ctx, topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &kafka.Transport{}
	defer tr.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(server.Addr()), Transport: tr}
	res, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 3}}})
	if err != nil || res.Errors[topic] != nil {
		t.Fatal(err, res.Errors)
	}
	other := connect(t, server.Addr()) // which learns of the partitions at once
	if err := other.Broadcast(ctx, topic, bus.Message{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]bus.Consumer{"group": group, "reader": reader} {
		from := map[int]bool{}
		for len(from) < 3 {
			ms, err := c.Fetch(ctx, 10)
			if err != nil {
				t.Fatalf("%s has messages of %v only: %v", what, from, err)
			}
			for _, m := range ms {
				from[m.Partition] = true
			}
		}
	}
}

// TestMetrics follows the counters and the lag through a consumer's life.
func TestMetrics(t *testing.T) {
	server := broker(t, t.TempDir(), 0)
	reg := prometheus.NewRegistry()
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{server.Addr()}
	b, err := kafkabus.New(cfg, logTo(t), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	same, err := kafkabus.New(cfg, logTo(t), reg) // a second bus on the same registry shares the metrics
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	ctx := t.Context()
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if err := b.Produce(ctx, "t", make([]bus.Message, 100)...); err != nil {
		t.Fatal(err)
	}
	c, err := b.Consume(ctx, "g", "t")
	if err != nil {
		t.Fatal(err)
	}
	ms, err := c.Fetch(ctx, 40)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(ctx, ms...); err != nil {
		t.Fatal(err)
	}
	expect := func(metric, labels string, want int) {
		t.Helper()
		text, err := testutil.CollectAndFormat(reg, expfmt.TypeTextPlain, metric)
		if line := fmt.Sprintf("\n%s%s %d\n", metric, labels, want); err != nil || !strings.Contains(string(text), line) {
			t.Errorf("want%sgot\n%s, %v", line, text, err)
		}
	}
	expect("im_bus_produced_messages_total", `{topic="t"}`, 100)
	expect("im_bus_fetched_messages_total", `{group="g",topic="t"}`, len(ms))
	expect("im_bus_consumer_lag_messages", `{group="g",topic="t"}`, 100-len(ms))
	expect("im_bus_commits_total", `{group="g"}`, 1)
	expect("im_bus_rebalances_total", `{group="g"}`, 1)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	expect("im_bus_consumer_lag_messages", `{group="g",topic="t"}`, 0)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
