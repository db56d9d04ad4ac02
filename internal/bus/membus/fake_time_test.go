package membus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

// TestInABubble waits an hour of fake time for a message, and for nothing.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membus.New()
		defer b.Close()
		ctx := t.Context()
		if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: "t", Partitions: 2}); err != nil {
			t.Fatal(err)
		}
		c, err := b.Consume(ctx, "g", "t")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go func() {
			<-time.After(time.Hour)
			if err := b.Produce(ctx, "t", bus.Message{Value: []byte("v")}); err != nil {
				t.Error(err)
			}
		}()
		ms, err := c.Fetch(ctx, 1)
		if err != nil || time.Since(start) != time.Hour || !ms[0].Time.Equal(time.Now()) {
			t.Errorf("fetched %v, %v after %s", ms, err, time.Since(start))
		}
		short, end := context.WithTimeout(ctx, time.Minute)
		defer end()
		if _, err := c.Fetch(short, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("waiting for nothing: %v after %s", err, time.Since(start))
		}
	})
}

// TestSameCallsSameOrder runs a random history twice and sees the same messages in the same order.
func TestSameCallsSameOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 60).Draw(t, "steps")
		if d := cmp.Diff(history(t, steps), history(t, steps)); d != "" {
			t.Fatal(d)
		}
	})
}

// history plays steps on a new bus and returns what its consumers saw.
func history(t *rapid.T, steps []int) []string {
	ctx := context.Background()
	b := membus.New()
	defer b.Close()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.EnsureTopics(ctx, bus.TopicSpec{Name: "t", Partitions: 3}))
	var cs []bus.Consumer
	var seen []string
	for i, s := range steps {
		switch s {
		case 0, 1:
			must(b.Produce(ctx, "t", bus.Message{Value: fmt.Append(nil, i)}, bus.Message{Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)}))
		case 2:
			c, err := b.Consume(ctx, "g", "t")
			must(err)
			cs = append(cs, c)
		case 3:
			if len(cs) > 0 {
				must(cs[0].Close())
				cs = cs[1:]
			}
		case 4:
			for n, c := range cs {
				must(b.Broadcast(ctx, "t", bus.Message{Value: []byte("tick")})) // so that there is something for each
				if n >= 3 {
					continue // more members than partitions
				}
				ms, err := c.Fetch(ctx, 1+i%5)
				must(err)
				for _, m := range ms {
					seen = append(seen, fmt.Sprintf("%d: %d@%d %s", n, m.Offset, m.Partition, m.Value))
				}
				if i%2 == 0 {
					must(c.Commit(ctx, ms...))
				}
			}
		}
	}
	return seen
}
