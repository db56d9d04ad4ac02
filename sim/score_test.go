package sim_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/sim"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// update rewrites the golden files: go test ./sim -update.
var update = flag.Bool("update", false, "rewrite golden files")

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// line makes an alert line of a spell that starts offset after noon.
func line(tb testing.TB, id, rule, state string, offset time.Duration, key ...event.KeyPart) string {
	tb.Helper()
	a := event.Alert{
		Time: noon.Add(offset), ID: id, State: state, RuleID: rule, RuleName: rule, Status: "enabled", Severity: "high", Key: key,
		Value: 21, Limit: "> 20", From: noon.Add(offset),
	}
	if state == event.StateResolved {
		a.To = a.Time
	}
	b, err := json.Marshal(&a)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

const labelLines = `{"scenario":"a","kind":"benign","from":"2026-03-01T12:00:00.000Z","to":"2026-03-01T12:30:00.000Z","key":null,"rules":[],"impact_at":null}
{"scenario":"a","kind":"anomaly","from":"2026-03-01T12:01:00.000Z","to":"2026-03-01T12:02:00.000Z","key":{"client.ip":"192.0.2.1"},"rules":["connect-flood-by-ip"],"impact_at":"2026-03-01T12:01:20.000Z"}
{"scenario":"a","kind":"anomaly","from":"2026-03-01T12:10:00.000Z","to":"2026-03-01T12:11:00.000Z","key":null,"rules":["error-burst","fatal-event"],"impact_at":"2026-03-01T12:10:00.000Z"}

{"scenario":"b","kind":"anomaly","from":"2026-03-01T13:00:00.000Z","to":"2026-03-01T13:01:00.000Z","key":null,"rules":["error-burst"],"impact_at":null}
{"scenario":"b","kind":"benign","from":"2026-03-01T13:10:00.000Z","to":"2026-03-01T13:11:00.000Z","key":null,"rules":["connect-flood-by-ip"],"impact_at":null}
`

func TestScoreGolden(t *testing.T) {
	t.Parallel()
	ip := func(s string) event.KeyPart { return event.KeyPart{Field: "client.ip", Value: s} }
	flood, burst := "connect-flood-by-ip", "error-burst"
	alerts := strings.Join([]string{
		line(t, "1", flood, event.StateFiring, 65*time.Second, ip("192.0.2.1")),
		line(t, "1", flood, event.StateResolved, 130*time.Second, ip("192.0.2.1")), // the same spell
		line(t, "2", flood, event.StateFiring, 70*time.Second, ip("192.0.2.9")),    // another key
		line(t, "3", burst, event.StateFiring, 10*time.Minute+30*time.Second),      // right
		line(t, "4", "fatal-event", event.StateFiring, 10*time.Minute+10*time.Second),
		line(t, "5", burst, event.StateFiring, 20*time.Minute),                              // no reason for it
		line(t, "6", flood, event.StateFiring, 70*time.Minute+time.Second, ip("192.0.2.1")), // a trap
		line(t, "7", burst, event.StateFiring, 5*time.Hour),                                 // outside every label
	}, "\n")
	got, err := sim.Score(strings.NewReader(alerts), strings.NewReader(labelLines))
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := got.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "score.golden.json", string(asJSON)+"\n")
	golden(t, "score.golden.txt", text.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading golden file (run go test ./sim -update): %v", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-file +made):\n%s", name, diff)
	}
}

func TestScoreTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		at    time.Duration
		right int
	}{
		{"a second before is rounding", 59*time.Minute + 59*time.Second, 1},
		{"before", 59*time.Minute + 58*time.Second, 0},
		{"inside", 60*time.Minute + 30*time.Second, 1},
		{"within the tolerance after", 62 * time.Minute, 1},
		{"after", 62*time.Minute + time.Second, 0},
	} {
		alert := line(t, "1", "error-burst", event.StateFiring, c.at)
		got, err := sim.Score(strings.NewReader(alert), strings.NewReader(labelLines))
		if err != nil {
			t.Fatal(err)
		}
		if got.All.Right != c.right || got.All.Alerts != 1 {
			t.Errorf("%s: %+v", c.name, got.All)
		}
	}
}

func TestScoreOfNothing(t *testing.T) {
	t.Parallel()
	got, err := sim.Score(strings.NewReader(""), strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if got.All.Precision != 1 || got.All.Recall != 1 || got.All.Alerts != 0 {
		t.Errorf("%+v", got.All)
	}
}

// The order of alert lines, and lines that come twice, change nothing.
func TestScoreOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	lines := []string{
		line(t, "1", "error-burst", event.StateFiring, 60*time.Minute+10*time.Second),
		line(t, "1", "error-burst", event.StateResolved, 62*time.Minute),
		line(t, "2", "error-burst", event.StateFiring, 60*time.Minute+20*time.Second),
		line(t, "3", "fatal-event", event.StateFiring, 10*time.Minute),
		line(t, "4", "fatal-event", event.StateFiring, 40*time.Minute),
	}
	score := func(lines []string) sim.ScoreReport {
		r, err := sim.Score(strings.NewReader(strings.Join(lines, "\n")), strings.NewReader(labelLines))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := score(lines)
	rapid.Check(t, func(rt *rapid.T) {
		shuffled := rapid.Permutation(append(slices.Clip(lines), lines[0])).Draw(rt, "order")
		if diff := cmp.Diff(want, score(shuffled)); diff != "" {
			rt.Fatalf("(-in order +shuffled)\n%s", diff)
		}
	})
}

func TestScoreNamesBadLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ alerts, labels, want string }{
		{"", `{"kind":"odd"}`, `labels, line 1: reading label: kind: found "odd", allowed are "anomaly" and "benign"`},
		{"", `{"kind":"benign","from":"noon"}`, `from: found "noon", expected RFC 3339`},
		{"", `{"kind":"benign","from":"2026-03-01T12:00:00Z","to":"2026-03-01T11:00:00Z"}`, "before from"},
		{"", `{"kind":"benign","form":""}`, `unknown field "form"`},
		{"", "{\n", "labels, line 1"},
		{"\n{}", "", "alerts, line 2: reading alert line"},
	} {
		_, err := sim.Score(strings.NewReader(c.alerts), strings.NewReader(c.labels))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want %q in it", c.alerts, c.labels, err, c.want)
		}
	}
}

func FuzzReadLabels(f *testing.F) {
	f.Add([]byte(labelLines))
	f.Add([]byte("{}\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		labels, err := sim.ReadLabels(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		var again strings.Builder
		if err := sim.WriteLabels(&again, labels); err != nil {
			t.Fatal(err)
		}
		back, err := sim.ReadLabels(strings.NewReader(again.String()))
		if err != nil || len(back) != len(labels) {
			t.Fatalf("%q is not read back: %v", again.String(), err)
		}
	})
}
