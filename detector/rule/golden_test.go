package rule_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imwatch/detector/rule"

	"github.com/google/go-cmp/cmp"
)

// update rewrites the golden files and the published schema: go test ./detector/rule -update.
var update = flag.Bool("update", false, "rewrite golden files and the published schema")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // a document of the project
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading golden file (run go test ./detector/rule -update): %v", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-file +made):\n%s", path, diff)
	}
}

// Every bad rule gets the message that its golden file holds.
func TestBadRules(t *testing.T) {
	t.Chdir("testdata/bad") // so that messages name the files without their folder
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 110 {
		t.Fatalf("found %d bad rules (%v), want at least 110", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rules, findings := rule.Load(path)
			warns := strings.HasPrefix(name, "warn-")
			if len(findings) == 0 || rule.HasErrors(findings) == warns {
				t.Errorf("errors are expected of all but warn-*: %v", findings)
			}
			var out bytes.Buffer
			for _, r := range rules {
				out.WriteString("loaded " + r.ID + "\n")
			}
			if err := rule.WriteText(&out, findings); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", out.Bytes())
			checkPlaces(t, string(src), findings)
		})
	}
}

// checkPlaces says whether every finding stands at a place that the file has.
func checkPlaces(t *testing.T, src string, findings []rule.Finding) {
	t.Helper()
	lines := strings.Split(src, "\n")
	for _, f := range findings {
		if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len([]rune(lines[f.Line-1]))+2 {
			t.Errorf("no such place: %s", f)
		}
	}
}

func TestFindingsAsJSON(t *testing.T) {
	_, findings := rule.Parse("bad.yaml", []byte("id: x\ntitle: T\nseverity: hihg\ndetect: {threshold: {count: \"> 1\", window: 1m}}\n"))
	var out bytes.Buffer
	if err := rule.WriteJSON(&out, findings); err != nil {
		t.Fatal(err)
	}
	var back []rule.Finding
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(findings, back); diff != "" || len(back) != 1 {
		t.Errorf("JSON does not carry the findings:\n%s\n%s", diff, out.String())
	}
	want := `bad.yaml:3:11: error: found "hihg", expected one of info, warn, high, critical; the nearest is "high" [x]`
	if got := back[0].String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	out.Reset()
	if err := rule.WriteJSON(&out, nil); err != nil || out.String() != "[]\n" {
		t.Errorf("no findings print as %q (%v)", out.String(), err)
	}
}
