package detector_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// everything takes every event, so a canary that is one shows.
const everything = "id: everything\ntitle: Everything\nseverity: warn\ndetect: {threshold: {count: '> 0', window: 10s}}\n"

// canary sends one as a shipper does.
func (s *site) canary(every time.Duration) {
	s.t.Helper()
	line := canary.Line(canary.Shipper, "host-1", every, time.Now())
	if err := s.bus.Broadcast(s.t.Context(), bus.TopicLifecycle, bus.Message{Value: line}); err != nil {
		s.t.Fatal(err)
	}
}

// live lets time pass with a canary each minute.
func (s *site) live(minutes int) {
	s.t.Helper()
	for range minutes {
		s.canary(time.Minute)
		s.pass(time.Minute, "n1")
	}
}

// passedOn counts what was sent to alerting, by service.
func (s *site) passedOn() map[string]int {
	s.t.Helper()
	ends, err := s.bus.Ends(s.t.Context(), bus.TopicCanary)
	if err != nil {
		s.t.Fatal(err)
	}
	got := map[string]int{}
	if ends[0] == 0 {
		return got
	}
	c, err := s.bus.Read(s.t.Context(), bus.TopicCanary, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	for n := int64(0); n < ends[0]; {
		ms, err := c.Fetch(s.t.Context(), 1000)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range ms {
			n++
			var e event.Event
			if err := event.Decode(m.Value, &e); err != nil || !canary.Is(&e) {
				s.t.Fatalf("%v: no canary: %s", err, m.Value)
			}
			got[e.Text(event.FieldServiceName)]++
		}
	}
	return got
}

func TestCanariesComeThroughAndDisturbNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3, everything)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.pass(2*time.Second, "n1")
		s.live(10)
		want(t, s.alerts())
		if n := s.metric("im_detector_events_total") + s.metric("im_detector_rejected_events_total"); n != 0 {
			t.Errorf("%v events were counted, a canary is none", n)
		}
		if n := s.metric("im_detector_canaries_total"); n != 10 {
			t.Errorf("%v canaries came through", n)
		}
		if age := s.metric("im_detector_canary_age_seconds"); age != 60 {
			t.Errorf("the newest is %v s old", age)
		}
		if diff := cmp.Diff(map[string]int{canary.Shipper: 10, canary.Detector: 11}, s.passedOn()); diff != "" {
			t.Errorf("to alerting (-want +got):\n%s", diff)
		}
	})
}

// The alert comes once and goes once, whatever restarts there are.
func TestLostCanariesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2, everything)
		defer s.bus.Close()
		stop := s.start()
		s.pass(2*time.Second, "n1")
		s.live(2)
		last := time.Now().Add(-time.Minute)
		s.pass(time.Minute, "n1")
		stop()
		stop = s.start() // from now on it has three minutes to be heard again
		s.pass(3*time.Minute-time.Second, "n1")
		want(t, s.alerts())
		s.pass(2*time.Second, "n1")
		want(t, s.alerts(), "imwatch-canary-lost firing all 180")
		if a := s.produced()[0]; !a.Time.Equal(last.Add(3*time.Minute)) || a.ID != event.AlertID(detector.CanaryLost, "", a.From.UnixNano()) {
			t.Errorf("it fires at %v as %s, expected three minutes after %v", a.Time, a.ID, last)
		}
		stop()
		sleep(time.Hour)
		stop = s.start()
		s.pass(4*time.Minute, "n1")
		back := time.Now()
		s.live(1)
		stop()
		stop = s.start()
		s.live(4)
		stop()
		want(t, s.alerts(), "imwatch-canary-lost firing all 180", "imwatch-canary-lost resolved all 0")
		all := s.produced()
		if len(all) != 2 || all[1].ID != all[0].ID || !all[1].Time.Equal(back) {
			t.Errorf("found %d lines, the end at %v, expected two and %v", len(all), all[len(all)-1].Time, back)
		}
	})
}

func TestAShipperWithoutCanariesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, everything)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.pass(5*time.Minute, "n1") // none ever
		s.live(1)
		s.canary(0)
		s.pass(5*time.Minute, "n1")
		want(t, s.alerts())
	})
}

// A node whose shipper stands still, but is heard of, holds evaluation back.
func TestBlindWhenEvaluationStandsStill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2, everything)
		defer s.bus.Close()
		stop := s.start()
		s.pass(2*time.Minute, "n1")
		stands := time.Now()
		hang := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); sleep(time.Second) {
				s.shipped("n1", stands)
			}
			synctest.Wait()
		}
		hang(time.Minute)
		want(t, s.alerts())
		hang(2 * time.Second)
		want(t, s.alerts(), "imwatch-detector-blind firing all 60")
		if a := s.produced()[0]; a.Time.Sub(stands).Round(time.Second) != time.Minute {
			t.Errorf("it fires %v after the standstill", a.Time.Sub(stands))
		}
		hang(2 * time.Minute)
		stop()
		stop = s.start()
		hang(2 * time.Minute)
		stands = time.Now().Add(-45 * time.Second) // below the limit, but not well
		hang(10 * time.Second)
		want(t, s.alerts(), "imwatch-detector-blind firing all 60")
		s.pass(5*time.Minute, "n1")
		stop()
		want(t, s.alerts(), "imwatch-detector-blind firing all 60", "imwatch-detector-blind resolved all 0")
		if all := s.produced(); len(all) != 2 {
			t.Errorf("%d lines", len(all))
		}
	})
}

// After a long time away there is time to catch up.
func TestNotBlindWhileCatchingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2, everything)
		defer s.bus.Close()
		stop := s.start()
		s.pass(5*time.Second, "n1")
		stop()
		s.pass(20*time.Minute, "n1")
		stop = s.start()
		s.pass(5*time.Minute, "n1")
		stop()
		want(t, s.alerts())
	})
}

func TestBlindWhenTheStoreDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures+"mode: query\n")
		defer s.bus.Close()
		g := &growing{}
		s.deps.Store = g
		stop := s.start()
		defer stop()
		s.pass(2*time.Minute, "n1")
		g.set(true)
		s.pass(90*time.Second, "n1")
		want(t, s.alerts(), "imwatch-detector-blind firing all 60")
		st := s.detector.Rules().Rules[0]
		if st.Query == nil || st.Query.Error == "" || st.LastError == nil {
			t.Errorf("the status of the rule says nothing of it: %+v", st)
		}
		g.set(false)
		s.pass(time.Minute, "n1")
		want(t, s.alerts(), "imwatch-detector-blind firing all 60", "imwatch-detector-blind resolved all 0")
	})
}

// mute is a bus that does not say where topics end while it is set.
type mute struct {
	bus.Bus
	on atomic.Bool
}

func (d *mute) Ends(ctx context.Context, topic string) (bus.Position, error) {
	if d.on.Load() {
		return nil, errors.New("no answer")
	}
	return d.Bus.Ends(ctx, topic)
}

func TestBlindWhenTheBrokerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, everything)
		defer s.bus.Close()
		d := &mute{Bus: s.bus}
		s.deps.Bus = d
		stop := s.start()
		defer stop()
		s.pass(2*time.Minute, "n1")
		d.on.Store(true)
		s.pass(70*time.Second, "n1")
		want(t, s.alerts(), "imwatch-detector-blind firing all 60")
		d.on.Store(false)
		s.pass(10*time.Second, "n1")
		want(t, s.alerts(), "imwatch-detector-blind firing all 60", "imwatch-detector-blind resolved all 0")
	})
}

func TestRulesSayHowTheyFare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures)
		defer s.bus.Close()
		s.write("bad.yaml", "id: bad\ntitle: Bad\nseverity: loud\ndetect: {threshold: {count: '> 1', window: 1s}}\n")
		stop := s.start()
		defer stop()
		loaded := time.Now().UTC()
		s.pass(2*time.Second, "n1")
		at := time.Now().UTC()
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		s.pass(5*time.Second, "n1")
		st := s.detector.Rules()
		if st.AsOf == nil || time.Since(*st.AsOf) > time.Second || len(st.Rules) != 1 || len(st.Refused) != 1 || st.Refused[0].ID != "bad" {
			t.Fatalf("found %+v", st)
		}
		r := st.Rules[0]
		if r.StateBytes < 100 || r.Fingerprint == "" || r.LastAlert == nil || r.LastAlert.State != event.StateFiring {
			t.Errorf("found %+v", r)
		}
		r.StateBytes, r.Fingerprint, r.LastAlert = 0, "", nil
		if diff := cmp.Diff(detector.RuleStatus{
			ID: "failures", Title: "Failures", Status: "enabled", Mode: "stream", Type: "threshold", Severity: "high",
			Source: s.path("rules/rules.yaml") + ":2", LoadedAt: loaded, Keys: 1, Events: 3, Evaluations: 3, LastEvent: &at,
			Alerts: map[string]uint64{"firing": 1, "updated": 0, "resolved": 0},
		}, r); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		for name, n := range map[string]float64{
			"im_detector_rule_events_total": 3, "im_detector_evaluations_total": 3, "im_detector_lag_messages": 0,
		} {
			if got := s.metric(name); got != n {
				t.Errorf("%s is %v, want %v", name, got, n)
			}
		}
		if s.metric("im_detector_state_bytes") < 100 {
			t.Error("no state bytes are shown")
		}
		// What changes only its texts goes on, what decides otherwise begins anew.
		s.write("rules.yaml", failures+"owner: somebody\n")
		s.pass(4*time.Second, "n1")
		r = s.detector.Rules().Rules[0]
		if r.Owner != "somebody" || r.Events != 3 || !r.LoadedAt.After(loaded) {
			t.Errorf("after a change of texts: %+v", r)
		}
		s.write("rules.yaml", failures+"limits: {keys: 7}\n")
		s.pass(4*time.Second, "n1")
		r = s.detector.Rules().Rules[0]
		if r.Events != 0 || r.Alerts["firing"] != 0 || slices.Contains([]string{"somebody"}, r.Owner) {
			t.Errorf("after a change of what it decides: %+v", r)
		}
	})
}
