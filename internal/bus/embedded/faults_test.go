package embedded_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

const topic = "t.faults"

// cluster starts a broker of its own and a kafkabus on it, so that a test can make it misbehave.
func cluster(t *testing.T, reg prometheus.Registerer, opts ...kfake.Opt) (*kfake.Cluster, *kafkabus.Bus) {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = c.ListenAddrs()
	b, err := kafkabus.New(cfg, quiet(), reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return c, b
}

func produce(t *testing.T, b bus.Bus, values ...string) {
	t.Helper()
	ms := make([]bus.Message, len(values))
	for i, v := range values {
		ms[i] = bus.Message{Key: []byte("k"), Value: []byte(v)}
	}
	if err := b.Produce(t.Context(), topic, ms...); err != nil {
		t.Fatal(err)
	}
}

// values reads n messages from the beginning.
func values(t *testing.T, b bus.Bus, n int) []string {
	t.Helper()
	c, err := b.Read(t.Context(), topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out []string
	for len(out) < n {
		ms, err := c.Fetch(t.Context(), n-len(out))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			out = append(out, string(m.Value))
		}
	}
	return out
}

// TestProduceTriesAgain has the broker refuse in every way that is not for good.
func TestProduceTriesAgain(t *testing.T) {
	reg := prometheus.NewRegistry()
	c, b := cluster(t, reg)
	faults := []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas,
		kerr.UnknownServerError, kerr.KafkaStorageError, kerr.BrokerNotAvailable,
	}
	var want []string
	for i, e := range faults {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: e, Count: 2})
		want = append(want, fmt.Sprint(i))
		produce(t, b, want[i])
	}
	if got := values(t, b, len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("read %v, want %v", got, want)
	}
	metric := fmt.Sprintf("# HELP im_bus_produce_retries_total Batches that were sent again after a failure.\n"+
		"# TYPE im_bus_produce_retries_total counter\nim_bus_produce_retries_total %d\n", 2*len(faults))
	if err := testutil.GatherAndCompare(reg, strings.NewReader(metric), "im_bus_produce_retries_total"); err != nil {
		t.Error(err)
	}
}

// TestProduceRefused has the broker refuse for good.
func TestProduceRefused(t *testing.T) {
	c, b := cluster(t, nil)
	for _, e := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.PolicyViolation, kerr.InvalidRecord} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: e})
		err := b.Produce(t.Context(), topic, bus.Message{Value: []byte("v")})
		if want := kafka.Error(e.Code); !errors.Is(err, want) {
			t.Errorf("%v: Produce returned %v", e, err)
		}
	}
	produce(t, b, "after")
	if got := values(t, b, 1); got[0] != "after" {
		t.Errorf("read %v", got)
	}
}

// TestProduceOverBrokenConnections cuts the connection before the request is served.
func TestProduceOverBrokenConnections(t *testing.T) {
	c, b := cluster(t, nil)
	cuts := 0
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		cuts++
		return nil, errors.New("cut"), cuts%3 != 0
	})
	var want []string
	for i := range 10 {
		produce(t, b, fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	if got := values(t, b, 10); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %v, want %v", got, want)
	}
	if cuts != 30 {
		t.Errorf("%d requests, want 30", cuts)
	}
}

// TestCancelledProduceKeepsOrder gives up on a request that the broker still has: the next call must not overtake it,
// and may use the memory of the first.
func TestCancelledProduceKeepsOrder(t *testing.T) {
	c, b := cluster(t, nil)
	arrived, release := make(chan struct{}), make(chan struct{})
	first := true
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if first {
			first = false
			c.SleepControl(func() {
				close(arrived)
				<-release
			})
		}
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	value := []byte("first")
	done := make(chan error)
	go func() { done <- b.Produce(ctx, topic, bus.Message{Key: []byte("k"), Value: value}) }()
	<-arrived
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Produce after its end: %v", err)
	}
	copy(value, "XXXXX")
	go func() { done <- b.Produce(t.Context(), topic, bus.Message{Key: []byte("k"), Value: []byte("second")}) }()
	select {
	case err := <-done:
		t.Fatalf("the second overtook the first: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := values(t, b, 2); got[0] != "first" || got[1] != "second" {
		t.Errorf("read %v", got)
	}
}

// TestTopicTakesLess has a topic that allows less than the program was told.
func TestTopicTakesLess(t *testing.T) {
	_, b := cluster(t, nil, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "50000"}))
	ms := make([]bus.Message, 100)
	for i := range ms {
		noise := make([]byte, 7000)
		_, _ = rand.Read(noise)
		ms[i] = bus.Message{Key: []byte("k"), Value: noise}
	}
	if err := b.Produce(t.Context(), topic, ms...); err != nil {
		t.Fatal(err)
	}
	for i, v := range values(t, b, len(ms)) {
		if !bytes.Equal(ms[i].Value, []byte(v)) {
			t.Fatalf("message %d is another", i)
		}
	}
	ms[42].Value = make([]byte, 60_000)
	_, _ = rand.Read(ms[42].Value)
	err := b.Produce(t.Context(), topic, ms...)
	if large, ok := errors.AsType[*bus.TooLargeError](err); !ok || large.Index != 42 {
		t.Fatalf("one message too large: %v", err)
	}
}

// TestFetchTriesAgain has the broker refuse to be read.
func TestFetchTriesAgain(t *testing.T) {
	c, b := cluster(t, nil)
	produce(t, b, "a", "b")
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.UnknownServerError} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: e, Count: 2})
	}
	if got := values(t, b, 2); got[0] != "a" || got[1] != "b" {
		t.Errorf("read %v", got)
	}
}

// TestCommitTriesAgain has the group refuse commits, for reasons that pass.
func TestCommitTriesAgain(t *testing.T) {
	c, b := cluster(t, nil)
	produce(t, b, "a", "b")
	con, err := b.Consume(t.Context(), "g", topic)
	if err != nil {
		t.Fatal(err)
	}
	ms, err := con.Fetch(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.RebalanceInProgress, kerr.IllegalGeneration} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: "g", Err: e})
	}
	if err := con.Commit(t.Context(), ms...); err != nil {
		t.Fatal(err)
	}
	pos, err := b.Committed(t.Context(), "g", topic)
	if err != nil || pos[0] != 2 {
		t.Errorf("committed %v, %v", pos, err)
	}
}

// TestGroupRefused has the group refuse us for good: Fetch says so instead of waiting for ever.
func TestGroupRefused(t *testing.T) {
	c, b := cluster(t, nil)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupAuthorizationFailed, Count: -1, TopLevel: true})
	con, err := b.Consume(t.Context(), "g", topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := con.Fetch(t.Context(), 1); !errors.Is(err, kafka.GroupAuthorizationFailed) {
		t.Errorf("Fetch: %v", err)
	}
	if err := con.Commit(t.Context(), bus.Message{Topic: topic}); !errors.Is(err, kafka.GroupAuthorizationFailed) {
		t.Errorf("Commit: %v", err)
	}
}

// TestCompacted reads a topic in which compaction has left holes, from inside the holes too.
func TestCompacted(t *testing.T) {
	c, b := cluster(t, nil)
	const compacted = "t.compacted"
	if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: compacted, Partitions: 1, Compact: true}); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		for _, k := range []string{"x", "y"} {
			m := bus.Message{Key: []byte(k), Value: fmt.Append(nil, i)}
			if err := b.Produce(t.Context(), compacted, m, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Compact()
	for _, from := range []int64{0, 1, 57, 150} {
		con, err := b.Read(t.Context(), compacted, bus.Position{0: from})
		if err != nil {
			t.Fatal(err)
		}
		last := map[string]string{}
		for last["x"] != "49" || last["y"] != "49" {
			ms, err := con.Fetch(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ms {
				last[string(m.Key)] = string(m.Value)
			}
		}
		if err := con.Close(); err != nil {
			t.Error(err)
		}
	}
}
