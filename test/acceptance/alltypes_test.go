package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
	"imwatch/internal/bus/kafkabus"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// eventsVar says how many events TestAllTypes generates.
const (
	eventsVar     = "IMWATCH_TEST_EVENTS"
	eventsDefault = 40_000
	eventsSpan    = 70 * time.Minute
)

// TestAllTypes holds every way to evaluate a rule to the same alerts, byte for byte, with rules of every type: a file
// as a stream and as queries, the broker, the store as a stream and as queries, and the detector that was running.
func TestAllTypes(t *testing.T) {
	for _, m := range []struct {
		name string
		run  func(*testing.T, string, generated) (backtest func(...string) []string, told []string)
	}{{"embedded", allTypesEmbedded}, {"cluster", allTypesCluster}} {
		t.Run(m.name, func(t *testing.T) {
			count := eventsDefault
			if n, err := strconv.Atoi(os.Getenv(eventsVar)); err == nil {
				count = n
			}
			rules, err := filepath.Abs("testdata/alltypes")
			if err != nil {
				t.Fatal(err)
			}
			g := generate(t, filepath.Join(t.TempDir(), "events.jsonl"), count, time.Now().Add(-5*time.Second), eventsSpan)
			to := g.last.Truncate(time.Second)
			backtest, told := m.run(t, rules, g)
			want := backtest("--events", g.file)
			everyRule(t, want)
			ways := map[string][]string{
				"the file as queries":  backtest("--events", g.file, "--mode", "query"),
				"the broker":           backtest("--events", "kafka"),
				"the store":            backtest("--events", "store"),
				"the store as queries": backtest("--events", "store", "--mode", "query"),
				"the running detector": told,
			}
			for name, got := range ways {
				a, b := until(t, want, to), until(t, got, to)
				if diff := cmp.Diff(a, b); diff != "" {
					t.Errorf("%s gives other alerts than the file as a stream, %d and %d (-file +this):\n%.20000s", name, len(b), len(a), diff)
				}
			}
			t.Logf("%d events, %d state changes until %v", g.count, len(until(t, want, to)), to)
		})
	}
}

// everyRule wants alerts of every rule, or nothing is compared.
func everyRule(t *testing.T, lines []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/alltypes/alltypes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, l := range lines {
		count[parseAlert(t, l).RuleID]++
	}
	t.Logf("state changes by rule: %v", count)
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "id: "); ok && count[strings.TrimSpace(id)] == 0 {
			t.Errorf("no alert of rule %s", strings.TrimSpace(id))
		}
	}
}

func parseAlert(t *testing.T, line string) *event.Alert {
	t.Helper()
	a := new(event.Alert)
	if err := a.UnmarshalJSON([]byte(line)); err != nil {
		t.Fatal(err)
	}
	return a
}

// until gives the lines of state changes before an instant, each once, sorted. Alerts of the detector about itself and
// about sources are about arrival, which differs.
func until(t *testing.T, lines []string, to time.Time) []string {
	t.Helper()
	var kept []string
	for _, l := range lines {
		if a := parseAlert(t, l); a.Time.Before(to) && !strings.HasPrefix(a.RuleID, "imwatch-") {
			kept = append(kept, l)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// backtester gives a function that runs rules backtest and gives its lines.
func backtester(t *testing.T, rules string, more ...string) func(...string) []string {
	t.Helper()
	return func(args ...string) []string {
		t.Helper()
		began := time.Now()
		args = slices.Concat([]string{"rules", "backtest", "--rules", rules}, args, more)
		cmd := exec.CommandContext(t.Context(), program, args...)
		var summary bytes.Buffer
		cmd.Stderr = &summary
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, summary.String())
		}
		t.Logf("%v took %.1fs", args[4:], time.Since(began).Seconds())
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
}

// allTypesEmbedded runs everything in one process, stops it, and looks at what it left.
func allTypesEmbedded(t *testing.T, rules string, g generated) (func(...string) []string, []string) {
	t.Helper()
	t.Setenv("IMWATCH_EMBEDDED_BROKER_TOPIC_BYTES", "4294967296") // all of it is read again afterwards
	s := newSite(t)
	s.config = settings{Dir: s.dir, Rules: rules}.write(t, s.told)
	s.node(t, node1, "up", "--data", s.dir)
	up := s.specs[node1]
	ops := "127.0.0.1:" + freePorts(t, 1)[0]
	up.env = append(up.env, "IMWATCH_OPS_ADDR="+ops)
	s.specs[node1] = up
	install(t, g.file, s.logs)
	s.start(t, node1)
	evaluated(t, ops, ops, g)
	s.stop(t, node1)

	cfg := embedded.DefaultConfig()
	cfg.Dir, cfg.TopicBytes = filepath.Join(s.dir, "broker"), 4<<30
	b, err := embedded.Open(cfg, quietLog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	told := topic(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	with := backtester(t, rules)
	return func(args ...string) []string {
		if slices.Contains(args, "kafka") || slices.Contains(args, "store") {
			args = append(args, "--data", s.dir)
		}
		return with(args...)
	}, told
}

// allTypesCluster runs a process a role on a real Kafka and Elasticsearch.
func allTypesCluster(t *testing.T, rules string, g generated) (func(...string) []string, []string) {
	t.Helper()
	s := newCluster(t, rules)
	install(t, g.file, s.logs)
	for _, name := range []string{"detect", "index", "ship"} {
		s.role(t, name)
		s.start(t, name)
	}
	evaluated(t, s.specs["detect"].ops, s.specs["index"].ops, g)
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{os.Getenv(kafkaVar)}
	b, err := kafkabus.New(cfg, quietLog(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := s.store.(elastic).refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return backtester(t, rules, "--config", s.config), topic(t, b)
}

func quietLog() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// install puts the file among the logs at once, whole.
func install(t *testing.T, file, logs string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(logs, "generated.log"), string(text))
}

// evaluated returns when every event is a document and the detector has passed the last one.
func evaluated(t *testing.T, detect, index string, g generated) {
	t.Helper()
	waitFor(t, "all is indexed and evaluated", 15*time.Minute, func(ctx context.Context) error {
		stored, err := metric(ctx, index, "im_index_events_total", `outcome="stored"`)
		if err != nil || stored < float64(g.count) {
			return fmt.Errorf("%v of %d events are indexed: %w", stored, g.count, err)
		}
		lag, err := metric(ctx, detect, "im_detector_watermark_lag_seconds", "")
		if passed := time.Now().Add(-time.Duration(lag * float64(time.Second))); err != nil || lag == 0 || !passed.After(g.last.Add(2*time.Second)) {
			return fmt.Errorf("the watermark lies %v s behind: %w", lag, err)
		}
		return nil
	})
	late, err := metric(t.Context(), detect, "im_detector_late_events_total", "")
	if err != nil || late > 0 {
		t.Errorf("%v events were late: %v", late, err)
	}
}

// topic gives the lines of im.alerts.
func topic(t *testing.T, b bus.Bus) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at, err := b.Starts(ctx, bus.TopicAlerts)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := b.Ends(ctx, bus.TopicAlerts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Read(ctx, bus.TopicAlerts, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var lines []string
	for behind(at, ends) {
		ms, err := c.Fetch(ctx, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			lines = append(lines, string(m.Value))
			at[m.Partition] = m.Offset + 1
		}
	}
	return lines
}

func behind(at, ends bus.Position) bool {
	for p, end := range ends {
		if at[p] < end {
			return true
		}
	}
	return false
}
