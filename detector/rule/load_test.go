package rule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"imwatch/detector/rule"

	"github.com/google/go-cmp/cmp"
)

func minimal(id string) string {
	return "id: " + id + "\ntitle: T\nseverity: warn\ndetect: {consecutive: {count: 5}}\n"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ids(rules []*rule.Rule) (list []string) {
	for _, r := range rules {
		list = append(list, r.ID)
	}
	return list
}

func TestLoadFolders(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.yml"), minimal("b1")+"---\n"+minimal("b2")+"...\n"+minimal("b3"))
	write(t, filepath.Join(dir, "a.yaml"), strings.ReplaceAll("\ufeff"+minimal("a"), "\n", "\r\n"))
	write(t, filepath.Join(dir, "sub", "deep", "c.yaml"), minimal("c"))
	write(t, filepath.Join(dir, "notes.txt"), "not a rule")
	write(t, filepath.Join(dir, ".hidden.yaml"), minimal("hidden"))
	rules, findings := rule.Load(dir, filepath.Join(dir, "a.yaml")) // a file given twice is read once
	if diff := cmp.Diff([]string{"a", "b1", "b2", "b3", "c"}, ids(rules)); diff != "" || len(findings) != 0 {
		t.Errorf("%s\n%v", diff, findings)
	}
	if rules[2].Line != 6 || rules[3].Line != 11 {
		t.Errorf("b2 stands in line %d, b3 in %d", rules[2].Line, rules[3].Line)
	}
}

// Kubernetes mounts a ConfigMap as links into a folder that it swaps.
func TestLoadMountedConfigMap(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..2026_11_21", "a.yaml"), minimal("a"))
	for link, target := range map[string]string{"..data": "..2026_11_21", "a.yaml": "..data/a.yaml", "gone.yaml": "..data/gone.yaml"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	rules, findings := rule.Load(dir)
	if diff := cmp.Diff([]string{"a"}, ids(rules)); diff != "" {
		t.Error(diff)
	}
	if len(findings) != 1 || !strings.HasSuffix(findings[0].String(), "gone.yaml: error: cannot be read: no such file or directory") {
		t.Errorf("findings %v", findings)
	}
}

func TestLoadSaysAllFaultsOfAllFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), strings.Replace(minimal("a"), "warn", "wran", 1)+"owner: []\n")
	write(t, filepath.Join(dir, "b.yaml"), minimal("b"))
	write(t, filepath.Join(dir, "c.yaml"), minimal("b"))
	write(t, filepath.Join(dir, "d.yaml"), "id: [\n")
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o750); err != nil {
		t.Fatal(err)
	}
	rules, findings := rule.Load(dir, empty, filepath.Join(dir, "missing"))
	if diff := cmp.Diff([]string{"b"}, ids(rules)); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, f := range findings {
		got = append(got, strings.ReplaceAll(f.String(), dir+"/", ""))
	}
	want := []string{
		`a.yaml:3:11: error: found "wran", expected one of info, warn, high, critical; the nearest is "warn" [a]`,
		`a.yaml:5:8: error: found a list, expected who looks after the rule [a]`,
		`c.yaml:1:5: error: id "b" is given twice; the first is in b.yaml:1 [b]`,
		`d.yaml:1:1: error: not valid YAML: did not find expected node content`,
		`empty: error: found no file *.yaml or *.yml below this folder`,
		`missing: error: cannot be read: no such file or directory`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadFS(t *testing.T) {
	rules, findings := rule.LoadFS(fstest.MapFS{
		"b.yaml": {Data: []byte(minimal("b"))}, "a/a.yml": {Data: []byte(minimal("a"))}, "c.txt": {Data: []byte("x")},
	})
	if diff := cmp.Diff([]string{"a", "b"}, ids(rules)); diff != "" || len(findings) != 0 {
		t.Errorf("%s\n%v", diff, findings)
	}
}

func FuzzRule(f *testing.F) {
	f.Add(wholeRule)
	f.Add(textRule)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no bad rules", err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "range") {
			return // a template may count to any number
		}
		rules, findings := rule.Parse("fuzz.yaml", []byte(src))
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src), "\n")
		for _, one := range findings {
			if one.Line < 1 || one.Line > len(lines) || one.Column < 1 || one.Message == "" {
				t.Fatalf("%q: %+v", src, one)
			}
		}
		for _, r := range rules {
			if r.ID == "" || r.Title == "" || r.Severity == "" || r.Where == nil || r.Detect.Limit() == "" {
				t.Fatalf("%q: loaded %+v", src, r)
			}
			if err := r.Render(alert()); err != nil && len(r.Annotations) == 0 {
				t.Fatal(err)
			}
		}
	})
}
