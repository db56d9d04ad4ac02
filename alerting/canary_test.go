package alerting_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/alerting"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// watched is a rig with the topic that detectors pulse into.
func watched(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, "ops")
	if err := r.bus.EnsureTopics(t.Context(), bus.TopicSpec{Name: bus.TopicCanary, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) sing(service string, every time.Duration, at time.Time) {
	r.t.Helper()
	if err := r.bus.Produce(r.t.Context(), bus.TopicCanary, bus.Message{Value: canary.Line(service, "host-1", every, at)}); err != nil {
		r.t.Fatal(err)
	}
}

// beat lets minutes pass with a pulse of a detector at the beginning of each.
func (r *rig) beat(minutes int) {
	r.t.Helper()
	for range minutes {
		r.sing(canary.Detector, time.Minute, time.Now())
		pass(time.Minute)
	}
}

// deadMan names what was told, in order.
func (r *rig) deadMan() []string {
	out := []string{}
	for _, n := range r.phones["ops"].all() {
		out = append(out, fmt.Sprintf("%s %s", n.Alert.RuleID, n.Kind))
	}
	return out
}

const (
	died  = alerting.DeadManRule + " firing"
	lives = alerting.DeadManRule + " resolved"
)

// Two alerters see that the detector is dead; people are told once, and once that it is back.
func TestDeadDetectorIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watched(t)
		defer r.bus.Close()
		_, stop1 := r.start(newFuse(-1, false), false)
		_, stop2 := r.start(newFuse(-1, false), false)
		r.beat(5)
		last := time.Now().Add(-time.Minute)
		pass(119 * time.Second)
		if got := r.deadMan(); len(got) != 0 {
			t.Errorf("told too early: %v", got)
		}
		pass(time.Minute)
		if diff := cmp.Diff([]string{died}, r.deadMan()); diff != "" {
			t.Errorf("after three pulses missed (-want +got):\n%s", diff)
		}
		if a := r.phones["ops"].all()[0].Alert; !a.From.Equal(last.Add(3*time.Minute)) || a.ID != event.AlertID(alerting.DeadManRule, "", a.From.UnixNano()) {
			t.Errorf("it began at %v as %s", a.From, a.ID)
		}
		stop1()
		stop2()
		pass(time.Hour)
		_, stop1 = r.start(newFuse(-1, false), false)
		_, stop2 = r.start(newFuse(-1, false), false)
		pass(10 * time.Minute)
		r.beat(10)
		stop1()
		stop2()
		_, stop1 = r.start(newFuse(-1, false), false)
		r.beat(10)
		stop1()
		if diff := cmp.Diff([]string{died, lives}, r.deadMan()); diff != "" {
			t.Errorf("in all (-want +got):\n%s", diff)
		}
	})
}

func TestWhoNeverPulsedIsNotMissed(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*rig){
		"no detector ever": func(*rig) {},
		"one that pulses no more": func(r *rig) {
			r.beat(2)
			r.sing(canary.Detector, 0, time.Now())
		},
		"canaries of shippers are no pulses": func(r *rig) { r.sing(canary.Shipper, time.Minute, time.Now()) },
		"what is no canary": func(r *rig) {
			if err := r.bus.Produce(r.t.Context(), bus.TopicCanary, bus.Message{Value: []byte("nonsense")}); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := watched(t)
				defer r.bus.Close()
				_, stop := r.start(newFuse(-1, false), false)
				before(r)
				pass(30 * time.Minute)
				stop()
				if got := r.deadMan(); len(got) != 0 {
					t.Errorf("told: %v", got)
				}
			})
		})
	}
}

// An alerter that dies while it tells of a dead detector, or of one that is back, leaves nothing untold and nothing
// told twice; but for a message that was taken when it died before it could write that down.
func TestDeadManSurvivesCrashes(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"while it tells of the death", "while it tells of the return"} {
		killed := 0
		for n := 0; ; n++ {
			var got []string
			where, missed := "", false
			synctest.Test(t, func(t *testing.T) {
				r := watched(t)
				defer r.bus.Close()
				r.beat(1)
				f, whole := newFuse(n, n%2 == 0), newFuse(-1, false)
				first, second := f, whole
				if phase == "while it tells of the return" {
					first, second = whole, f
				}
				_, stop := r.start(first, false)
				pass(4 * time.Minute)
				stop()
				_, stop = r.start(second, false)
				pass(4 * time.Minute)
				r.beat(1)
				stop()
				_, stop = r.start(newFuse(-1, false), false)
				r.beat(2)
				stop()
				got = r.deadMan()
				_, where = f.state()
				missed = where == ""
			})
			if where == "send" || strings.HasPrefix(where, "swap im-notify") { // the message may have been taken
				got = unique(got)
			}
			if diff := cmp.Diff([]string{died, lives}, got); diff != "" {
				t.Errorf("%s, killed at call %d (%s) (-want +got):\n%s", phase, n, where, diff)
			}
			if missed || n > 40 {
				break
			}
			killed++
		}
		if killed < 8 {
			t.Errorf("%s: only %d calls to be killed at", phase, killed)
		}
		t.Logf("%s: killed at each of %d calls", phase, killed)
	}
}

func unique(in []string) (out []string) {
	for i, s := range in {
		if i == 0 || s != in[i-1] {
			out = append(out, s)
		}
	}
	return out
}

// A canary has come the whole way only once alerts behind it can be decided.
func TestCanariesAreTimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watched(t)
		defer r.bus.Close()
		away := newFuse(0, false)
		store := &switched{deadStore: deadStore{r.store, newFuse(-1, false)}, away: deadStore{r.store, away}}
		log, reg := logrus.New(), prometheus.NewRegistry()
		log.SetOutput(io.Discard)
		a, err := alerting.New(r.cfg, alerting.Deps{
			Bus: r.bus, Store: store, Log: log, Registerer: reg,
			Channel: func(rec alerting.Receiver) (alerting.Channel, error) {
				return line{r.phones[rec.Name], newFuse(-1, false), r.budget}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		pass(time.Second)
		r.sing(canary.Shipper, time.Minute, time.Now().Add(-500*time.Millisecond))
		r.sing(canary.Shipper, time.Minute, time.Now())
		pass(time.Second)
		n, sum, age := timed(t, reg)
		if n != 2 || sum != 0.5 || age != 1 {
			t.Errorf("%d canaries took %v s, the newest is %v s old", n, sum, age)
		}
		store.set(true)
		r.produce(state("a", "firing", time.Now(), 0))
		pass(time.Second)
		r.sing(canary.Shipper, time.Minute, time.Now())
		pass(time.Minute)
		if n, _, age = timed(t, reg); n != 2 || age != 62 {
			t.Errorf("while nothing can be decided %d canaries came through, the newest is %v s old", n, age)
		}
		store.set(false)
		pass(time.Minute)
		if n, sum, _ = timed(t, reg); n != 3 || sum < 60 {
			t.Errorf("%d canaries took %v s", n, sum)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func timed(t *testing.T, reg *prometheus.Registry) (n uint64, sum, age float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch f.GetName() {
		case "im_alerting_canary_latency_seconds":
			n, sum = f.GetMetric()[0].GetHistogram().GetSampleCount(), f.GetMetric()[0].GetHistogram().GetSampleSum()
		case "im_alerting_canary_age_seconds":
			age = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return n, sum, age
}

// switched is a store that can be away for a while.
type switched struct {
	deadStore
	mu   sync.Mutex
	away deadStore
	off  bool
}

func (s *switched) set(off bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off = off
}

func (s *switched) Get(ctx context.Context, index, id string) ([]byte, string, error) {
	s.mu.Lock()
	off := s.off
	s.mu.Unlock()
	if off {
		return s.away.Get(ctx, index, id)
	}
	return s.deadStore.Get(ctx, index, id)
}
