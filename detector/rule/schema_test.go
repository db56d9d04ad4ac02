package rule_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imwatch/detector/rule"
	"imwatch/rules"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func schemaText(t *testing.T) []byte {
	t.Helper()
	b, err := json.MarshalIndent(rule.Schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func TestPublishedSchemaIsTheLoaders(t *testing.T) {
	golden(t, "../../docs/rule.schema.json", schemaText(t))
}

// compiled gives what says whether a document is valid.
func compiled(t *testing.T) func(src string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schemaText(t))))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(rule.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s := c.MustCompile(rule.SchemaID)
	return func(src string) error {
		var v any
		if err := yaml.Unmarshal([]byte(src), &v); err != nil {
			return err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		inst, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
		if err != nil {
			return err
		}
		return s.Validate(inst)
	}
}

// What the loader takes, the schema takes; of what it refuses, the schema sees what is no matter of KQL, templates or
// other keys.
func TestSchemaOnBadRules(t *testing.T) {
	validate := compiled(t)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad rules", err)
	}
	refused := 0
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fault := validate(string(src))
		if strings.HasPrefix(filepath.Base(path), "warn-") && filepath.Base(path) != "warn-empty.yaml" && fault != nil {
			t.Errorf("%s is loaded, but the schema says: %v", path, fault)
		}
		if fault != nil {
			refused++
		}
	}
	if refused < 30 {
		t.Errorf("the schema refuses %d of %d bad rules", refused, len(files))
	}
	t.Logf("the schema refuses %d of %d bad rules", refused, len(files))
}

// An editor with the schema must accept what the loader accepts, and see the usual slips.
func TestSchema(t *testing.T) {
	validate := compiled(t)
	check := func(name, src string, ok bool) {
		t.Helper()
		if err := validate(src); (err == nil) != ok {
			t.Errorf("%s: valid is %t, want %t: %v", name, err == nil, ok, err)
		}
	}
	check("whole", wholeRule, true)
	check("texts", textRule, true)
	names, err := fs.Glob(rules.Files(), "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no shipped rules", err)
	}
	for _, name := range names {
		src, err := fs.ReadFile(rules.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range strings.Split("\n"+string(src), "\n---\n") {
			if strings.TrimSpace(doc) != "" {
				check(fmt.Sprintf("%s, document %d", name, i+1), doc, true)
			}
		}
	}
	check("unknown key", minimal("a")+"onwer: x\n", false)
	check("missing key", strings.Replace(minimal("a"), "title: T\n", "", 1), false)
	check("no such severity", strings.Replace(minimal("a"), "warn", "wran", 1), false)
	check("two types", minimal("a")[:strings.Index(minimal("a"), "detect")]+"detect: {consecutive: {count: 5}, threshold: {count: '> 1', window: 1m}}\n", false)
	check("no comparison", "id: a\ntitle: T\nseverity: warn\ndetect: {threshold: {count: '20', window: 1m}}\n", false)
	check("no duration", minimal("a")+"for: 5\n", false)
}
