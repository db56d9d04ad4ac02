package shipper

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"imwatch/shipper/parse"
	"imwatch/shipper/parse/mapping"
)

// Every line of somebody else's log is an event, a dead letter or left out as configured, and counted as that.
func TestForeignLines(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "gateway.log")
	appendTo(t, live, strings.Join([]string{
		`{"time":"2026-11-21T10:00:00Z","level":"warn","status":401,"path":"/ws","client_ip":"192.0.2.1","latency":"3ms"}`,
		`{"time":"2026-11-21T10:00:01Z","level":"debug","msg":"user online","uid":"u1"}`,
		`{"time":"2026-11-21T10:00:02Z","level":"info","msg":"user online","uid":"u2","status":"fine"}`,
		`{"time":"2026-11-21T10:00:03Z","level":"info","msg":"cache warmed"}`,
		`{"time":"soon","level":"info","msg":"user online"}`,
		``,
		`panic`,
	}, "\n")+"\n")
	cfg := config(dir, live)
	cfg.ExitAtEnd = true
	cfg.Sources[0] = Source{
		Name: "gateway", Paths: []string{live}, Format: "im-json", Node: "gw-1", WithoutAction: parse.Ignore,
		Ignore: []mapping.Condition{{"level": {"debug", "trace"}}},
	}
	reg := prometheus.NewRegistry()
	s, err := New(cfg, Deps{Bus: b, Log: quiet(), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids, _, _ := shipped(t, b)
	if len(ids) != 2 {
		t.Errorf("%d events: %v", len(ids), ids)
	}
	var reasons []string
	for _, l := range letters(t, b) {
		reasons = append(reasons, l.Reason+" "+l.Original)
	}
	if d := cmp.Diff([]string{`time {"time":"soon","level":"info","msg":"user online"}`, "json panic"}, reasons); d != "" {
		t.Error(d)
	}
	want := `# HELP im_shipper_read_lines_total Lines read and parsed, again after a restart too, by source and result: event, dead_letter, sampled, ignored, empty, cut.
# TYPE im_shipper_read_lines_total counter
im_shipper_read_lines_total{result="cut",source="gateway"} 0
im_shipper_read_lines_total{result="dead_letter",source="gateway"} 2
im_shipper_read_lines_total{result="empty",source="gateway"} 1
im_shipper_read_lines_total{result="event",source="gateway"} 2
im_shipper_read_lines_total{result="ignored",source="gateway"} 2
im_shipper_read_lines_total{result="sampled",source="gateway"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "im_shipper_read_lines_total"); err != nil {
		t.Error(err)
	}
}
