package sigma_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imwatch/detector/rule"
	"imwatch/detector/sigma"

	"github.com/google/go-cmp/cmp"
)

// update rewrites the golden files: go test ./detector/sigma -update.
var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // a document of the project
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading golden file (run go test ./detector/sigma -update): %v", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-file +made):\n%s", path, diff)
	}
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

func run(t *testing.T, path string, o sigma.Options) sigma.Result {
	t.Helper()
	got, err := sigma.Import([]sigma.File{{Name: filepath.Base(path), Src: read(t, path)}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func files(tb testing.TB, pattern string, least int) []string {
	tb.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < least {
		tb.Fatalf("found %d files %s (%v), want at least %d", len(names), pattern, err, least)
	}
	return names
}

// What is imported is what the golden file holds, and it passes the linter.
func TestGood(t *testing.T) {
	m, err := sigma.ParseMap(read(t, "testdata/map.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files(t, "testdata/good/*.yml", 4) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := run(t, path, sigma.Options{Map: m})
			if rule.HasErrors(got.Findings) || got.Rules == 0 {
				t.Errorf("%v", got.Findings)
			}
			var out bytes.Buffer
			if err := rule.WriteText(&out, got.Findings); err != nil {
				t.Fatal(err)
			}
			out.Write(got.YAML)
			golden(t, strings.TrimSuffix(path, ".yml")+".golden", out.Bytes())
			rules, findings := rule.Parse("imported.yaml", got.YAML)
			if len(rules) != got.Rules || rule.HasErrors(findings) {
				t.Errorf("%d of %d rules are loaded: %v", len(rules), got.Rules, findings)
			}
		})
	}
}

// What cannot be expressed gets the message that its golden file holds, at a place that the file has.
func TestBad(t *testing.T) {
	for _, path := range files(t, "testdata/bad/*.yml", 40) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := run(t, path, sigma.Options{})
			if !rule.HasErrors(got.Findings) {
				t.Errorf("errors are expected, found %v and\n%s", got.Findings, got.YAML)
			}
			var out bytes.Buffer
			if err := rule.WriteText(&out, got.Findings); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yml")+".golden", out.Bytes())
			lines := strings.Split(string(read(t, path)), "\n")
			for _, f := range got.Findings {
				if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len([]rune(lines[f.Line-1]))+2 {
					t.Errorf("no such place: %s", f)
				}
			}
		})
	}
}

func TestStrict(t *testing.T) {
	src := []byte("title: T\nlevel: low\ndetection: {a: {user.id: Somebody}, condition: a}\n")
	for strict, want := range map[bool]int{false: 1, true: 0} {
		got, err := sigma.Import([]sigma.File{{Name: "a.yml", Src: src}}, sigma.Options{Strict: strict})
		if err != nil || got.Rules != want || len(got.Findings) != 1 || rule.HasErrors(got.Findings) != strict {
			t.Errorf("strict %t: %d rules, %v, %v", strict, got.Rules, got.Findings, err)
		}
	}
}

// A correlation may stand in another file than the rules that it refers to.
func TestAcrossFiles(t *testing.T) {
	got, err := sigma.Import([]sigma.File{
		{Name: "c.yml", Src: []byte("title: C\nlevel: low\ncorrelation: {type: event_count, rules: [alpha], timespan: 1m, condition: {gt: 3}}\n")},
		{Name: "a.yml", Src: []byte("title: A\nname: alpha\ndetection: {a: {event.action: connect}, condition: a}\n")},
	}, sigma.Options{})
	if err != nil || got.Rules != 1 || len(got.Findings) != 0 {
		t.Errorf("%d rules, %v, %v", got.Rules, got.Findings, err)
	}
	if want := "where: 'event.action: connect'"; !bytes.Contains(got.YAML, []byte(want)) {
		t.Errorf("no %s in\n%s", want, got.YAML)
	}
}

func TestMaps(t *testing.T) {
	for src, want := range map[string]string{
		"fields: {Image: client.pi}": `fields.Image: unknown field "client.pi"; the nearest is "client.ip"`,
		"keywords: user.id":          `keywords: found "user.id", expected a field of type text`,
		"feilds: {}":                 "allowed are fields, keywords, logsources",
	} {
		if _, err := sigma.ParseMap([]byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
	if _, err := sigma.ParseMap(nil); err != nil {
		t.Error(err)
	}
}

// Whatever is read, what comes out passes the linter, and every finding has a place.
func FuzzImport(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yml", "testdata/bad/*.yml"} {
		for _, path := range files(f, pattern, 1) {
			f.Add(read(f, path))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := sigma.Import([]sigma.File{{Name: "fuzz.yml", Src: src}}, sigma.Options{Map: sigma.Map{Keywords: "message"}})
		if err != nil {
			return // text that YAML cannot carry
		}
		for _, one := range got.Findings {
			if one.Line < 1 || one.Column < 1 || one.Message == "" {
				t.Fatalf("%q: %+v", src, one)
			}
		}
		if rules, findings := rule.Parse("imported.yaml", got.YAML); got.Rules > 0 && (len(rules) != got.Rules || rule.HasErrors(findings)) {
			t.Fatalf("%q: %d rules of %d, %v\n%s", src, len(rules), got.Rules, findings, got.YAML)
		}
	})
}
