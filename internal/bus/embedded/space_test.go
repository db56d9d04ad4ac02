package embedded_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
)

// small is a broker whose topics may take 1 MiB.
func small(t *testing.T, reg prometheus.Registerer) (*embedded.Bus, string) {
	t.Helper()
	cfg := embeddedIn(t.TempDir())
	cfg.TopicBytes, cfg.Sync = 1<<20, false
	b, err := embedded.Open(cfg, quiet(), reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return b, cfg.Dir
}

// gauge reads a gauge that has one label set.
func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// noise makes n messages of 50 kB that do not compress.
func noise(n int) []bus.Message {
	out := make([]bus.Message, n)
	for i := range out {
		v := make([]byte, 50_000)
		_, _ = rand.Read(v)
		out[i] = bus.Message{Value: v}
	}
	return out
}

func bytesIn(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil { // a file may go meanwhile
			total += info.Size()
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return total
}

// TestSpaceOfWhatNobodyConsumes writes ten times what the topic may take.
func TestSpaceOfWhatNobodyConsumes(t *testing.T) {
	b, dir := small(t, nil)
	for range 20 {
		if err := b.Produce(t.Context(), topic, noise(10)...); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(10 * time.Second)
	for bytesIn(t, dir) > 1<<20+600<<10 { // its share and a segment or two
		select {
		case <-deadline:
			t.Fatalf("%d bytes are kept", bytesIn(t, dir))
		case <-time.After(50 * time.Millisecond):
		}
	}
	starts, err := b.Starts(t.Context(), topic)
	if err != nil || starts[0] == 0 || starts[0] > 195 {
		t.Errorf("of 200 messages, those from %v on are kept (%v)", starts, err)
	}
}

// TestSpaceWaitsForConsumers writes more than the topic may take while a group is behind: Produce waits, and every
// message arrives.
func TestSpaceWaitsForConsumers(t *testing.T) {
	reg := prometheus.NewRegistry()
	b, _ := small(t, reg)
	c, err := b.Consume(t.Context(), "g", topic)
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	write := func(limit time.Duration) error {
		ctx, end := context.WithTimeout(t.Context(), limit)
		defer end()
		for {
			if err := b.Produce(ctx, topic, noise(1)...); err != nil {
				return err
			}
			written++
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	if err := write(4 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if v := gauge(t, reg, "im_bus_embedded_topic_full"); v != 1 {
		t.Errorf("the gauge of fullness is %v", v)
	}
	if v := gauge(t, reg, "im_bus_embedded_topic_bytes"); v < 1<<20 {
		t.Errorf("the gauge of bytes is %v", v)
	}
	full := written
	if full < 20 || full > 150 { // 21 fit; some more are written until the size is looked at
		t.Fatalf("%d messages of 50 kB were written into 1 MiB in 4 s", full)
	}
	starts, err := b.Starts(t.Context(), topic)
	if err != nil || starts[0] != 0 {
		t.Fatalf("what the group has not read begins at %v, %v", starts, err)
	}
	seen := int64(0)
	fetch := func() {
		t.Helper()
		ms, err := c.Fetch(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if m.Offset != seen {
				t.Fatalf("offset %d came, not %d", m.Offset, seen)
			}
			seen++
		}
		if err := c.Commit(t.Context(), ms...); err != nil {
			t.Fatal(err)
		}
	}
	for seen < int64(full) {
		fetch()
	}
	if err := b.Produce(t.Context(), topic, noise(1)...); err != nil { // there is space again
		t.Fatal(err)
	}
	fetch()
	if starts, err = b.Starts(t.Context(), topic); err != nil || starts[0] == 0 {
		t.Errorf("after the group has read all, messages from %v on are kept (%v)", starts, err)
	}
}
