package imserver

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imwatch/im-server/protocol"
)

// TestAutobahn has Autobahn's fuzzing client try the server. IMWATCH_TEST_AUTOBAHN is the path of wstest, which
// test/autobahn.sh installs; IMWATCH_TEST_AUTOBAHN_REPORT a folder for its report.
func TestAutobahn(t *testing.T) {
	wstest := os.Getenv("IMWATCH_TEST_AUTOBAHN")
	if wstest == "" {
		t.Skip("IMWATCH_TEST_AUTOBAHN does not say where wstest is")
	}
	report := os.Getenv("IMWATCH_TEST_AUTOBAHN_REPORT")
	if report == "" {
		report = t.TempDir()
	}
	f := echoes(t, echoConfig(t))
	spec, err := json.Marshal(map[string]any{
		"outdir":  report,
		"servers": []any{map[string]any{"agent": "im-server", "url": "ws://" + f.Addr() + protocol.Path + echoQuery}},
		"cases":   []string{"*"}, "exclude-cases": []string{}, "exclude-agent-cases": map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "spec.json")
	if err := os.WriteFile(path, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), wstest, "-m", "fuzzingclient", "-s", path).CombinedOutput(); err != nil {
		t.Fatalf("wstest: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(report, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var agents map[string]map[string]struct{ Behavior, BehaviorClose string }
	if err := json.Unmarshal(text, &agents); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for name, c := range agents["im-server"] {
		count[c.Behavior]++
		good := []string{"OK", "INFORMATIONAL"}
		if strings.HasPrefix(name, "13.3.") || strings.HasPrefix(name, "13.5.") {
			good = append(good, "UNIMPLEMENTED") // offers of nothing but a small window of the server, which are passed over
		}
		if !slices.Contains(good, c.Behavior) || !slices.Contains(good, c.BehaviorClose) {
			t.Errorf("case %s: %s, %s", name, c.Behavior, c.BehaviorClose)
		}
	}
	if len(agents["im-server"]) < 500 {
		t.Errorf("only %d cases were run", len(agents["im-server"]))
	}
	t.Logf("%v", count)
}
