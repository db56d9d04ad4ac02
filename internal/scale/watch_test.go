package scale

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// flaky is a bus that fails when told to.
type flaky struct {
	*membus.Bus
	err atomic.Pointer[error]
}

func (f *flaky) Members(ctx context.Context, group string) (int, error) {
	if err := f.err.Load(); err != nil {
		return 0, *err
	}
	return f.Bus.Members(ctx, group)
}

// A group falls behind and is watched; the gauge shows what is wanted. While the bus does not answer the advice stays.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &flaky{Bus: membus.New()}
		defer b.Close()
		ctx, end := context.WithCancel(t.Context())
		const topic, name = "t", "g"
		if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 4}); err != nil {
			t.Fatal(err)
		}
		c, err := b.Consume(ctx, name, topic)
		if err != nil {
			t.Fatal(err)
		}
		reg := prometheus.NewRegistry()
		log := logrus.New()
		log.SetOutput(t.Output())
		w, err := New(DefaultConfig(), Deps{Bus: b, Group: name, Topic: topic, Each: 100, Metric: "im_test_wanted_instances", Log: log, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error)
		go func() { ran <- w.Run(ctx) }()
		for range 20 { // 40 a second come, 10 a second are handled
			for i := range 600 {
				if err := b.Produce(ctx, topic, bus.Message{Key: fmt.Append(nil, i), Value: []byte("v")}); err != nil {
					t.Fatal(err)
				}
			}
			ms, err := c.Fetch(ctx, 150)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Commit(ctx, ms...); err != nil {
				t.Fatal(err)
			}
			<-time.After(15 * time.Second) // in the bubble's time
			synctest.Wait()
		}
		got := w.Advice()
		if got.Wanted != 4 || got.Members != 1 || got.Lag < 8000 || got.CatchUp != -1 || got.Group != name || got.Topic != topic {
			t.Errorf("%+v", got)
		}
		want := "# HELP im_test_wanted_instances Instances that the lag and the rates of the whole group ask for; /-/scale says why.\n" +
			"# TYPE im_test_wanted_instances gauge\nim_test_wanted_instances 4\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		away := errors.New("away")
		b.err.Store(&away)
		<-time.After(time.Minute)
		synctest.Wait()
		if got := w.Advice(); got.Wanted != 4 || got.Error != "away" {
			t.Errorf("while the bus is away: %+v", got)
		}
		end()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// What retention has deleted does not wait any more, committed or not.
func TestWatchCountsFromTheOldest(t *testing.T) {
	b := membus.New()
	defer b.Close()
	if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := b.Produce(t.Context(), "t", bus.Message{Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Trim("t", 0, 7); err != nil {
		t.Fatal(err)
	}
	w, err := New(DefaultConfig(), Deps{Bus: b, Group: "g", Topic: "t", Each: 1, Metric: "im_test_wanted_instances"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.Advice().Lag; got != 3 {
		t.Errorf("%d wait, expected 3", got)
	}
}

func TestFixed(t *testing.T) {
	w, err := Fixed(DefaultConfig(), Deps{Metric: "im_test_wanted_instances"}, 1, "because")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.Advice(); got.Wanted != 1 || got.Why != "because" {
		t.Errorf("%+v", got)
	}
}

func TestConfigFaults(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{CatchUp: time.Second, Every: time.Millisecond, Hold: 0}.Validate()
	for _, key := range []string{"catch_up", "every", "hold"} {
		if err == nil || !strings.Contains(err.Error(), key+": found") {
			t.Errorf("%s is not told: %v", key, err)
		}
	}
}
