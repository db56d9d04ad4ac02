package kafkabus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"imwatch/internal/bus"
)

// TestBrokerRestart kills a real broker while messages flow and starts it again: neither Produce nor Fetch returns an
// error, and nothing that was acknowledged is missing. IMWATCH_TEST_KAFKA_SCRIPT is the broker's script, which must
// know kill9 and start, with its settings in the environment.
func TestBrokerRestart(t *testing.T) {
	address, script := realKafka(t), os.Getenv("IMWATCH_TEST_KAFKA_SCRIPT")
	if script == "" {
		t.Skip("IMWATCH_TEST_KAFKA_SCRIPT names no script that restarts the broker")
	}
	b := connect(t, address)
	ctx, end := context.WithTimeout(t.Context(), 3*time.Minute)
	defer end()
	topic := fmt.Sprintf("t.restart-%d", time.Now().UnixNano())
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	c, err := b.Consume(ctx, topic, topic)
	if err != nil {
		t.Fatal(err)
	}

	var acked, stop atomic.Int64
	stop.Store(1 << 40)
	produced := make(chan error, 1)
	go func() {
		for n := int64(0); n < stop.Load(); n += 100 {
			ms := make([]bus.Message, 100)
			for i := range ms {
				ms[i] = bus.Message{Key: fmt.Append(nil, i%10), Value: fmt.Append(nil, n+int64(i))}
			}
			if err := b.Produce(ctx, topic, ms...); err != nil {
				produced <- err
				return
			}
			acked.Store(n + 100)
		}
		produced <- nil
	}()

	run := func(command string) {
		t.Helper()
		start := time.Now()
		defer func() {
			t.Logf("%s took %s, ending at %s", command, time.Since(start), time.Now().Format(time.StampMilli))
		}()
		if out, err := exec.CommandContext(ctx, script, command).CombinedOutput(); err != nil {
			t.Errorf("%s %s: %v\n%s", script, command, err, out)
		}
	}
	restarted := make(chan struct{})
	seen := map[int64]bool{}
	first := map[string]int64{} // the highest first appearance of each key
	started, last := false, time.Now()
	var target int64 = -1
	for target < 0 || int64(len(seen)) < target {
		ms, err := c.Fetch(ctx, 500)
		if err != nil {
			t.Fatalf("fetching after %d messages: %v", len(seen), err)
		}
		if gap := time.Since(last); gap > time.Second {
			t.Logf("%s without messages, until %s", gap, time.Now().Format(time.StampMilli))
		}
		last = time.Now()
		for _, m := range ms {
			var n int64
			if _, err := fmt.Sscan(string(m.Value), &n); err != nil {
				t.Fatal(err)
			}
			if !seen[n] && n < first[string(m.Key)] {
				t.Fatalf("%d appeared after %d of the same key", n, first[string(m.Key)])
			}
			seen[n] = true
			first[string(m.Key)] = max(first[string(m.Key)], n)
		}
		if err := c.Commit(ctx, ms...); err != nil {
			t.Fatalf("committing: %v", err)
		}
		switch {
		case !started && len(seen) > 5000:
			started = true
			go func() {
				defer close(restarted)
				for range 2 {
					run("kill9")
					run("start")
				}
			}()
		case target < 0:
			select {
			case <-restarted:
				stop.Store(acked.Load() + 5000)
				if err := <-produced; err != nil && !errors.Is(err, context.Canceled) {
					t.Fatalf("producing: %v", err)
				}
				target = acked.Load()
			default:
			}
		}
	}
	t.Logf("%d messages across two kills", target)
}
