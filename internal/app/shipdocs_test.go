package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The configurations shown in docs/shipper.md are taken as they stand there.
func TestShipperExamplesAreGood(t *testing.T) {
	doc, err := os.ReadFile("../../docs/shipper.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, b := range blocks {
		text := b[1]
		if !strings.HasPrefix(text, "shipper:") {
			text = "shipper:\n  sources:\n" + text
		}
		file := filepath.Join(t.TempDir(), "imwatch.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadConfig(file, []string{"REDACT_KEY=0123456789abcdef", "SHIP_TOKEN=t0ken"}, "shipper")
		if err != nil {
			t.Errorf("example %d: %v\n%s", i, err, text)
			continue
		}
		cfg.Shipper.Geo.Files = nil // those of the example are not here
		var out, diagnostics strings.Builder
		if err := ShipTest(cfg, ShipTestOptions{}, Streams{Out: &out, Err: &diagnostics}); err != nil {
			t.Errorf("example %d: %v\n%s%s", i, err, out.String(), diagnostics.String())
		}
	}
}
