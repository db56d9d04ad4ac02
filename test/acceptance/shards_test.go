package acceptance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/internal/bus/kafkabus"

	"github.com/google/go-cmp/cmp"
)

const (
	sharedShards = 4
	sharedRate   = 300 // lines a second
	sharedSpan   = 30 * time.Second
)

// TestShards has one, two and four detectors share the work on a real Kafka while lines are written, one of which is
// killed and comes back: together they say what one engine says that reads the file.
func TestShards(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Setenv("IMWATCH_DETECTOR_SHARDS", fmt.Sprint(sharedShards))
			t.Setenv("IMWATCH_KAFKA_SESSION_TIMEOUT", "6s")
			rules, err := filepath.Abs("testdata/alltypes")
			if err != nil {
				t.Fatal(err)
			}
			s := newCluster(t, rules)
			s.role(t, "ship")
			s.start(t, "ship")
			var names []string
			for i := range n {
				names = append(names, s.detector(t, i))
			}
			for _, name := range names {
				s.start(t, name)
			}
			var killed, taken time.Time
			last := s.write(t, func(at time.Duration) {
				if !killed.IsZero() && taken.IsZero() && s.owned(t, names[1:]) == sharedShards {
					taken = time.Now()
					t.Logf("%.1fs after the kill the others have all shards", taken.Sub(killed).Seconds())
				}
				switch {
				case at == sharedSpan/3:
					s.kill(t, names[0])
					killed = time.Now()
				case at == sharedSpan*2/3 || n == 1 && at == sharedSpan/2:
					s.revive(t, names[0])
				}
			})
			s.sharedPast(t, names, last)
			s.sharedLate(t, names)
			log := filepath.Join(s.logs, "generated.log")
			want := until(t, backtester(t, rules)("--events", log), last)
			cfg := kafkabus.DefaultConfig()
			cfg.Brokers = []string{os.Getenv(kafkaVar)}
			b, err := kafkabus.New(cfg, quietLog(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			got := until(t, topic(t, b), last)
			if diff := cmp.Diff(want, got); diff != "" || len(want) < 100 {
				t.Errorf("%d detectors give other alerts than the file, %d and %d (-file +detectors):\n%.20000s", n, len(got), len(want), diff)
			}
			t.Logf("%d state changes", len(want))
		})
	}
}

// detector plans one of several detectors.
func (s *site) detector(t *testing.T, i int) string {
	t.Helper()
	name := fmt.Sprintf("detect-%d", i)
	ops := "127.0.0.1:" + freePorts(t, 1)[0]
	s.specs[name] = spec{name: name, args: []string{"detect", "--config", s.config}, ops: ops, env: []string{"IMWATCH_OPS_ADDR=" + ops}}
	return name
}

// owned gives how many shards these detectors have.
func (s *site) owned(t *testing.T, names []string) float64 {
	t.Helper()
	sum := 0.0
	for _, name := range names {
		own, err := metric(t.Context(), s.specs[name].ops, "im_detector_shards_owned", "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		sum += own
	}
	return sum
}

// revive starts a process that was killed, once.
func (s *site) revive(t *testing.T, name string) {
	t.Helper()
	if s.procs[name] == nil {
		s.start(t, name)
	}
}

// write writes lines into a log as they happen and calls at for every whole fifth of a second. It gives the time of the
// last line but a second, up to which everything is settled.
func (s *site) write(t *testing.T, at func(time.Duration)) time.Time {
	t.Helper()
	began := time.Now()
	// Half a minute before the trouble of the seventh minute begins.
	g := &generator{draw: rand.New(rand.NewPCG(4, 11)), start: began.Add(-7*time.Minute + sharedSpan/3), users: 200, seq: map[string]uint64{}} //nolint:gosec // the same lines each time
	f, err := os.OpenFile(filepath.Join(s.logs, "generated.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const step = 200 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	var last time.Time
	for i := range int(sharedSpan / step) {
		at(time.Duration(i) * step)
		var buf []byte
		for range sharedRate / int(time.Second/step) {
			last = time.Now()
			buf = append(g.event(last.Sub(g.start)).AppendJSON(buf), '\n')
		}
		if _, err := f.Write(buf); err != nil {
			t.Fatal(err)
		}
		<-tick.C
	}
	return last.Add(-time.Second)
}

// sharedPast returns when every detector has evaluated what lies before an instant, with what rules wait for.
func (s *site) sharedPast(t *testing.T, names []string, at time.Time) {
	t.Helper()
	waitFor(t, "all shards have passed the last line", time.Minute, func(ctx context.Context) error {
		var errs []error
		owned := 0.0
		for _, name := range names {
			own, err := metric(ctx, s.specs[name].ops, "im_detector_shards_owned", "")
			lag, lagErr := metric(ctx, s.specs[name].ops, "im_detector_watermark_lag_seconds", "")
			errs = append(errs, err, lagErr)
			owned += own
			if passed := time.Now().Add(-time.Duration(lag * float64(time.Second))); own > 0 && (lag == 0 || !passed.After(at.Add(time.Second))) {
				errs = append(errs, fmt.Errorf("%s lies %v s behind", name, lag))
			}
		}
		if owned != sharedShards {
			errs = append(errs, fmt.Errorf("%v of %d shards are owned", owned, sharedShards))
		}
		return errors.Join(errs...)
	})
}

func (s *site) sharedLate(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		late, err := metric(t.Context(), s.specs[name].ops, "im_detector_late_events_total", "")
		if err != nil || late > 0 {
			t.Errorf("%s: %v events were late: %v", name, late, err)
		}
	}
	page, err := get(t.Context(), "http://"+s.specs[names[len(names)-1]].ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if slices.ContainsFunc([]string{"im_detector_shard_restore_seconds_sum", "im_detector_shards_owned "}, func(p string) bool { return strings.HasPrefix(line, p) }) {
			t.Log(strings.TrimSpace(line))
		}
	}
}
