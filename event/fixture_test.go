package event_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update rewrites the golden files and generated documents: go test ./event -update.
var update = flag.Bool("update", false, "rewrite golden files and generated documents")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading golden file (run go test ./event -update): %v", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-file +made); run make generate:\n%s", path, diff)
	}
}

const disconnectLine = `{"@timestamp":"2026-11-21T10:00:00.123Z","ecs":{"version":"8.17.0"},"event":{"id":"im-1-6aa0b2c4-0000000012","dataset":"im.connection","kind":"event","action":"disconnect","category":["session","network"],"type":["end","connection"],"outcome":"failure","duration":12345678901},"log":{"level":"warn"},"message":"connection ended","service":{"name":"im-server","version":"1.0.0","environment":"production","node":{"name":"im-1"}},"trace":{"id":"0af7651916cd43dd8448eb211c80319c"},"span":{"id":"b7ad6b7169203331"},"client":{"ip":"192.0.2.33","port":51234},"user":{"id":"u-123456"},"im":{"connection":{"id":"c-123456"},"close":{"code":1006,"reason":"client_gone","initiator":"network"},"bytes":{"in":1234,"out":5678}}}`
