package rule_test

import (
	"encoding/json"
	"io/fs"
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

// An editor with the schema must accept what the loader accepts, and see the usual slips.
func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schemaText(t))))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(rule.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s := c.MustCompile(rule.SchemaID)
	check := func(name, src string, ok bool) {
		t.Helper()
		var v any
		if err := yaml.Unmarshal([]byte(src), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		inst, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Validate(inst); (err == nil) != ok {
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
		check(name, string(src), true)
	}
	check("unknown key", minimal("a")+"onwer: x\n", false)
	check("missing key", strings.Replace(minimal("a"), "title: T\n", "", 1), false)
	check("no such severity", strings.Replace(minimal("a"), "warn", "wran", 1), false)
	check("two types", minimal("a")[:strings.Index(minimal("a"), "detect")]+"detect: {consecutive: {count: 5}, threshold: {count: '> 1', window: 1m}}\n", false)
	check("no comparison", "id: a\ntitle: T\nseverity: warn\ndetect: {threshold: {count: '20', window: 1m}}\n", false)
	check("no duration", minimal("a")+"for: 5\n", false)
}
