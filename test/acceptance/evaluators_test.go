package acceptance

import (
	"bytes"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// evaluatorsAgree runs the shipped rules over the same events as a stream from Kafka, as a stream from Elasticsearch and
// as queries on Elasticsearch, and wants the same lines. Alerts about sources are about arrival, which differs.
func evaluatorsAgree(t *testing.T, s *site) {
	t.Helper()
	to := time.Now().UTC().Format(time.RFC3339)
	var want string
	for _, from := range [][]string{{"kafka"}, {"store"}, {"store", "--mode", "query"}} {
		args := append([]string{"rules", "backtest", "--config", s.config, "--to", to, "--events"}, from...)
		var summary bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Stderr = &summary
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, summary.String())
		}
		var got bytes.Buffer
		for line := range bytes.Lines(out) {
			if !bytes.Contains(line, []byte(`"id":"imwatch-source-late"`)) {
				got.Write(line)
			}
		}
		if want == "" {
			want = got.String()
		}
		if diff := cmp.Diff(want, got.String()); diff != "" || want == "" {
			t.Errorf("%v gives other alerts (-kafka +this):\n%s\n%s", from, diff, summary.String())
		}
	}
}
