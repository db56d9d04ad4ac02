package embedded_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/internal/bus/embedded"
)

func TestConfigFaults(t *testing.T) {
	for want, change := range map[string]func(*embedded.Config){
		"dir:":         func(c *embedded.Config) { c.Dir = "" },
		"port:":        func(c *embedded.Config) { c.Port = 70_000 },
		"topic_bytes:": func(c *embedded.Config) { c.TopicBytes = 1 },
		"compression:": func(c *embedded.Config) { c.Compression = "best" },
	} {
		cfg := embeddedIn(t.TempDir())
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
		if _, err := embedded.Open(cfg, quiet(), nil); err == nil {
			t.Errorf("Open took %+v", cfg)
		}
	}
	if err := embedded.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// TestOpenFails has a file where the directory should be, and gives everything back each time.
func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(embeddedIn(file), quiet(), nil); err == nil {
		t.Error("a file was taken for a directory")
	}
	cfg := embeddedIn(t.TempDir())
	first := open(t, nil)
	_, port, _ := strings.Cut(first.Addr(), ":")
	cfg.Port, _ = strconv.Atoi(port)
	if _, err := embedded.Open(cfg, quiet(), nil); err == nil {
		t.Error("a port in use was taken")
	}
	cfg.Port = 0
	reg := prometheus.NewRegistry()
	for range 2 { // the directory and the metrics' names are free again
		b, err := embedded.Open(cfg, quiet(), reg)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
