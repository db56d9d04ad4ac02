package detector_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector"
	"imwatch/detector/backtest"
	"imwatch/event"
	"imwatch/internal/bus"
)

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, got); diff != "" {
		t.Errorf("state changes differ (-want +got):\n%s", diff)
	}
}

func TestAlertsComeInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3, failures)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.pass(2*time.Second, "n1", "n2")
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n2", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		last := time.Now()
		sleep(2*time.Second + time.Millisecond)
		s.shipped("n1", time.Now())
		s.shipped("n2", time.Now()) // now every line up to lateness after the last is known
		sleep(300 * time.Millisecond)
		synctest.Wait()
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3")
		if a := s.produced()[0]; !a.Time.Equal(last) || a.Annotations["summary"] != "3 failures" {
			t.Errorf("found the alert at %v with summary %q, expected %v", a.Time, a.Annotations["summary"], last)
		}
		s.pass(20*time.Second, "n1", "n2")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3", "failures resolved client.ip=192.0.2.1 0")
		if n := s.metric("im_detector_events_total"); n != 3 {
			t.Errorf("%v events are counted, expected 3", n)
		}
		if lag := s.metric("im_detector_watermark_lag_seconds"); lag < 2 || lag > 3.2 {
			t.Errorf("the watermark lags by %v s, expected lateness and at most a second", lag)
		}
	})
}

// forgetful loses two of three checkpoints, as crashes do.
type forgetful struct {
	detector.FileCheckpoint
	n int
}

func (f *forgetful) Save(state []byte) error {
	if f.n++; f.n%3 != 0 {
		return nil
	}
	return f.FileCheckpoint.Save(state)
}

func TestRestartsChangeNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2, failures)
		defer s.bus.Close()
		s.deps.Checkpoint = &forgetful{FileCheckpoint: detector.FileCheckpoint(s.path("checkpoint"))}
		ips := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
		for i := range 120 {
			stop := s.start()
			if i%20 < 10 { // and then a while of nothing
				s.produce(s.failed("n1", ips[i%3]), s.failed("n1", ips[i%2]))
			}
			s.pass(time.Duration(i%7)*600*time.Millisecond, "n1")
			stop()
		}
		stop := s.start()
		s.pass(40*time.Second, "n1")
		stop()
		var out strings.Builder
		rules := load(t, s)
		if _, err := backtest.Topic(t.Context(), s.bus, bus.TopicLifecycle, backtest.Options{Rules: rules, Out: &out, To: time.Now()}); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for l := range strings.Lines(out.String()) {
			var a event.Alert
			if err := a.UnmarshalJSON([]byte(l)); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, a.DocID()+" "+a.KeyString())
		}
		var got []string
		seen := map[string]bool{}
		for _, a := range s.produced() {
			if line := a.DocID() + " " + a.KeyString(); !seen[line] {
				seen[line] = true
				got = append(got, line)
			}
		}
		if len(lines) < 10 {
			t.Fatalf("only %d state changes to compare", len(lines))
		}
		if diff := cmp.Diff(lines, got, sorted()); diff != "" {
			t.Errorf("without (-) and with restarts (+) differ:\n%s", diff)
		}
		if n := s.metric("im_detector_late_events_total"); n != 0 {
			t.Errorf("%v events were late", n)
		}
	})
}

// deaf is a bus whose alerts are lost on the way for a while.
type deaf struct {
	bus.Bus
	down atomic.Bool
}

func (d *deaf) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	if d.down.Load() {
		return errors.New("no answer")
	}
	return d.Bus.Produce(ctx, topic, ms...)
}

func TestAlertsAreKeptUntilTheyAreAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures)
		defer s.bus.Close()
		broken := &deaf{Bus: s.bus}
		s.deps.Bus = broken
		stop := s.start()
		s.pass(3*time.Second, "n1")
		broken.down.Store(true)
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		s.pass(5*time.Second, "n1")
		stop() // with the alert not acknowledged: the checkpoint must not hold it as told
		broken.down.Store(false)
		stop = s.start()
		s.pass(time.Second, "n1")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3")
		stop()
	})
}

func TestAPartitionThatIsReadBehindLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 4, failures)
		defer s.bus.Close()
		for i := range 3000 { // more than one fetch, of a minute
			s.produce(s.failed("n1", []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}[i%5]))
			sleep(20 * time.Millisecond)
		}
		sleep(10 * time.Minute) // all of it is old before anybody reads it
		stop := s.start()
		s.pass(5*time.Second, "n1")
		stop()
		if n := s.metric("im_detector_late_events_total"); n != 0 {
			t.Errorf("%v events were late", n)
		}
		firing := 0
		for _, l := range s.alerts() {
			if strings.Contains(l, " firing ") {
				firing++
			}
		}
		if firing != 5 {
			t.Errorf("%d alerts, expected one for each of 5 addresses: %v", firing, s.alerts())
		}
	})
}

func TestASilentNodeHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2, failures)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.pass(3*time.Second, "n1", "n2", "n3")
		s.pass(20*time.Second, "n1", "n2")
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		s.pass(5*time.Second, "n1", "n2")
		want(t, s.alerts()) // n3 may yet have something to say
		s.pass(10*time.Second, "n1", "n2")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3", "imwatch-source-late firing service.node.name=n3 30")
		s.pass(20*time.Second, "n1", "n2", "n3")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3", "imwatch-source-late firing service.node.name=n3 30",
			"failures resolved client.ip=192.0.2.1 0", "imwatch-source-late resolved service.node.name=n3 0")
	})
}

func TestWhenAllAreStillTheWallClockGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2, failures)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		sleep(29 * time.Second)
		synctest.Wait()
		want(t, s.alerts())
		sleep(2 * time.Second)
		synctest.Wait()
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3", "failures resolved client.ip=192.0.2.1 0",
			"imwatch-source-late firing service.node.name=n1 30")
	})
}

func TestUnusableRecordsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.shipped("n1", time.Now())
		ahead := s.failed("n1", "192.0.2.1")
		ahead.SetTime(event.FieldTimestamp, time.Now().Add(25*time.Hour))
		s.produce(ahead)
		twice := s.failed("n1", "192.0.2.1")
		s.produce(twice, twice)
		for _, bad := range []string{"{", "{}", `{"@timestamp":"2026-11-21T10:00:00Z","event":{"dataset":"im.pipeline"}}`} {
			if err := s.bus.Produce(t.Context(), bus.TopicLifecycle, bus.Message{Value: []byte(bad)}); err != nil {
				t.Fatal(err)
			}
		}
		late := s.failed("n1", "192.0.2.1")
		late.SetTime(event.FieldTimestamp, time.Now().Add(-time.Minute))
		s.pass(time.Second, "n1")
		s.produce(late)
		synctest.Wait()
		if n := s.metric("im_detector_rejected_events_total"); n != 4 {
			t.Errorf("%v records are counted as unusable, expected 4", n)
		}
		if n := s.metric("im_detector_repeated_events_total"); n != 1 {
			t.Errorf("%v repeats are counted, expected 1", n)
		}
		if n := s.metric("im_detector_late_events_total"); n != 1 {
			t.Errorf("%v late events are counted, expected 1", n)
		}
	})
}

func TestADamagedCheckpointIsToldAndNothingIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures)
		defer s.bus.Close()
		stop := s.start()
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		s.pass(4*time.Second, "n1")
		stop()
		b, err := os.ReadFile(s.path("checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(s.path("checkpoint"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		stop = s.start()
		defer stop()
		s.produce(s.failed("n1", "192.0.2.1"))
		s.pass(4*time.Second, "n1")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3")
		if n := s.metric("im_detector_checkpoints_total"); n < 1 {
			t.Errorf("nothing is counted of checkpoints")
		}
		told := false
		for _, e := range s.logs.AllEntries() {
			told = told || strings.Contains(e.Message, "checkpoint cannot be used")
		}
		if !told {
			t.Error("the log does not tell of the damaged checkpoint")
		}
	})
}

func TestRulesAreReloaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.pass(3*time.Second, "n1")
		s.produce(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))

		s.write("rules.yaml", "id: failures\nnonsense: true\n")
		s.pass(3*time.Second, "n1")
		refused := "imwatch-rule-rejected firing log.file.path=" + s.path("rules/rules.yaml") + ", rule.id=failures "
		if got := s.alerts(); len(got) != 1 || !strings.HasPrefix(got[0], refused) {
			t.Fatalf("found %v, expected %s", got, refused)
		}
		s.produce(s.failed("n1", "192.0.2.1")) // the version before goes on, with its state
		s.pass(4*time.Second, "n1")
		if got := s.alerts(); len(got) != 2 || !strings.HasPrefix(strings.Join(got, "\n"), "failures firing client.ip=192.0.2.1 3") && !strings.Contains(strings.Join(got, "\n"), "\nfailures firing") {
			t.Fatalf("found %v, expected the rule to go on", got)
		}
		if n := s.metric("im_detector_rules_rejected"); n != 1 {
			t.Errorf("%v rules are counted as refused, expected 1", n)
		}

		// Other words, the same decisions: the state stays, and the alert is resolved under the same id.
		s.write("rules.yaml", strings.Replace(failures, "title: Failures", "title: Failed handshakes", 1))
		s.pass(20*time.Second, "n1")
		var states []string
		for _, a := range s.produced() {
			if a.RuleID == "failures" {
				states = append(states, a.State+" "+a.RuleName)
			}
		}
		want(t, states, "firing Failures", "resolved Failed handshakes")
		if last := s.alerts(); !strings.HasPrefix(strings.Join(last, "\n"), "imwatch-rule-rejected") && !strings.Contains(strings.Join(last, "\n"), "imwatch-rule-rejected resolved") {
			t.Errorf("found %v, expected the refusal to be resolved", last)
		}
	})
}

const silentNodes = `id: silent
title: A node is silent
severity: warn
group_by: [service.node.name]
detect: {absence: {window: 5s, expect: ../nodes.txt}}
`

// A file of expected keys is looked at like the rules, also one that was not there yet.
func TestAFileOfExpectedKeysIsReloaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, silentNodes)
		defer s.bus.Close()
		stop := s.start()
		defer stop()
		s.pass(3*time.Second, "n1")
		if got := s.alerts(); len(got) != 1 || !strings.HasPrefix(got[0], "imwatch-rule-rejected firing") {
			t.Fatalf("found %v, expected a rule without its file to be refused", got)
		}
		s.write("../nodes.txt", "n1\n")
		s.pass(3*time.Second, "n1")
		s.write("../nodes.txt", "n1\nn2\n")
		s.produce(s.failed("n1", "192.0.2.1"))
		s.pass(20*time.Second, "n1")
		silent := slices.DeleteFunc(s.alerts(), func(line string) bool { return !strings.HasPrefix(line, "silent") })
		want(t, silent, "silent firing service.node.name=n1 5", "silent firing service.node.name=n2 5")
	})
}

func TestARuleWhoseTestsFailIsNotLoaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures+`
tests:
  - name: wrong
    events: [{at: 0s..2s, count: 3, set: {event.action: handshake_failure, client.ip: 192.0.2.1}}]
    expect: []
`)
		defer s.bus.Close()
		stop := s.start()
		s.pass(3*time.Second, "n1")
		stop()
		stop = s.start() // the same file is the same alert after a restart
		s.pass(3*time.Second, "n1")
		ids := map[string]bool{}
		for _, a := range s.produced() {
			if a.RuleID != detector.RuleRejected || a.State != event.StateFiring || !strings.Contains(a.Annotations["summary"], `test "wrong"`) {
				t.Errorf("found %s %s: %s", a.RuleID, a.State, a.Annotations["summary"])
			}
			ids[a.ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("%d alerts about one refusal", len(ids))
		}
		stop()
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if err := detector.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	c := detector.DefaultConfig()
	c.Checkpoint, c.CheckpointEvery, c.Rules, c.Query.Every = "", 0, []string{""}, -1
	err := c.Validate()
	for _, key := range []string{"checkpoint:", "checkpoint_every:", "rules:", "query.every:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("found %v, expected it to name %s", err, key)
		}
	}
}
