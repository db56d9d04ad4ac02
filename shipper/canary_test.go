package shipper

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// canariesIn gives the canaries of each partition, and whether one stands behind a line.
func canariesIn(t *testing.T, b bus.Bus) (byPartition map[int][]event.Event, behind bool) {
	t.Helper()
	byPartition, lines := map[int][]event.Event{}, map[int]bool{}
	for _, m := range all(t, b, bus.TopicLifecycle) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case canary.Is(&e):
			byPartition[m.Partition] = append(byPartition[m.Partition], e)
			behind = behind || lines[m.Partition]
		case !e.IsWatermark():
			lines[m.Partition] = true
		}
	}
	return byPartition, behind
}

func TestCanaries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		interval time.Duration
		whole    bool
		want     int
		every    int64
	}{
		"one at once and one a minute":          {interval: time.Minute, want: 11, every: int64(time.Minute)},
		"off: one that says so":                 {want: 1},
		"files that end: none, it is no outage": {interval: time.Minute, whole: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir, b := t.TempDir(), newBus(t)
				live := filepath.Join(dir, "app.log")
				cfg := config(dir, live)
				cfg.Watch, cfg.CanaryInterval, cfg.ExitAtEnd = WatchPoll, c.interval, c.whole
				appendTo(t, live, line("im-1", 1, time.Now())+"\n")
				began := time.Now()
				stop := start(t, cfg, b)
				<-time.After(10*time.Minute + time.Second)
				stop()
				found, behind := canariesIn(t, b)
				for p := range 3 {
					if len(found[p]) != c.want {
						t.Errorf("partition %d has %d canaries, want %d", p, len(found[p]), c.want)
					}
				}
				if c.want > 0 && (!behind || !found[0][0].Time().Equal(began) || found[0][0].Int(event.FieldEventDuration) != c.every) {
					t.Errorf("the first is %s, behind a line: %v", found[0][0].AppendJSON(nil), behind)
				}
			})
		})
	}
}

// absent is a broker that is away until an instant.
type absent struct {
	Bus
	until time.Time
}

func (a *absent) Broadcast(ctx context.Context, topic string, m bus.Message) error {
	if time.Now().Before(a.until) {
		return errFlaky
	}
	return a.Bus.Broadcast(ctx, topic, m)
}

// A canary waits for the broker as the lines do, and is not lost.
func TestCanaryWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, b := t.TempDir(), newBus(t)
		cfg := config(dir, filepath.Join(dir, "app.log"))
		cfg.Watch = WatchPoll
		stop := start(t, cfg, &absent{b, time.Now().Add(5 * time.Minute)})
		<-time.After(5*time.Minute + 10*time.Second)
		stop()
		found, _ := canariesIn(t, b)
		if len(found[0]) < 1 || time.Since(found[0][0].Time()) < 5*time.Minute {
			t.Errorf("%d canaries", len(found[0]))
		}
	})
}
