package app

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"imwatch/im-server/hot"
)

// TestReload: what was not touched reads the same again, a change is found, a fault is said with its place, and the level
// of diagnostics follows.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "imwatch.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("im_server: {limits: {rooms: 5}}\n")
	cfg, err := LoadUpConfig(file, nil, filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(cfg, Streams{Out: io.Discard, Err: io.Discard})
	r := s.reload()
	again, err := r.Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, changes := hot.Merge(&cfg.IMServer, &again); len(changes) != 0 {
		t.Errorf("nothing changed, and %+v did", changes)
	}
	put("log: {level: debug}\nim_server: {limits: {rooms: 6}}\n")
	if again, err = r.Load(); err != nil || s.log.GetLevel() != logrus.DebugLevel {
		t.Fatalf("level %v, %v", s.log.GetLevel(), err)
	}
	if _, changes := hot.Merge(&cfg.IMServer, &again); len(changes) != 1 || changes[0] != (hot.Change{Key: "limits.rooms", From: "5", To: "6", Hot: true}) {
		t.Errorf("changed: %+v", changes)
	}
	put("im_server:\n  limits: {romms: 6}\n")
	if _, err = r.Load(); err == nil || !strings.Contains(err.Error(), "imwatch.yaml:2:12: im_server.limits: unknown key \"romms\"; did you mean \"rooms\"?") {
		t.Errorf("a fault gives %v", err)
	}
}
