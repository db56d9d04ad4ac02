package acceptance

import (
	"os/exec"
	"strings"
	"testing"
)

// TestFirstCommand runs what the README's newcomer runs first.
func TestFirstCommand(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), program, "demo", "--for", "45s").CombinedOutput()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	for _, title := range []string{"Handshake failures for one reason", "Heartbeat time-outs on one node", "Connection flood from one address"} {
		if !strings.Contains(string(out), title) {
			t.Errorf("no alert %q is shown", title)
		}
	}
	if t.Failed() || !strings.Contains(string(out), "ALERT reached the robot") {
		t.Errorf("the demo shows:\n%s", out)
	}
}
