package event_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"imwatch/event"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Fields of one object must stand together, or a line would open the object twice.
func TestTableKeepsObjectsTogether(t *testing.T) {
	closed := map[string]bool{}
	var open []string
	for _, f := range event.Fields() {
		parts := strings.Split(f.Name, ".")
		var now []string
		for i := range parts[:len(parts)-1] {
			now = append(now, strings.Join(parts[:i+1], "."))
		}
		for _, o := range open {
			if !slices.Contains(now, o) {
				closed[o] = true
			}
		}
		for _, o := range now {
			if closed[o] {
				t.Errorf("%s opens %s again", f.Name, o)
			}
		}
		open = now
	}
}

func TestTableNames(t *testing.T) {
	seen := map[string]bool{}
	for i, f := range event.Fields() {
		if int(f.ID) != i || f.Name == "" || f.When == "" || f.Meaning == "" || seen[f.Name] {
			t.Errorf("row %d is incomplete or double: %+v", i, f)
		}
		seen[f.Name] = true
		if got, ok := event.FieldByName(f.Name); !ok || got.ID != f.ID {
			t.Errorf("%s is not found by its name", f.Name)
		}
	}
	for alias, name := range event.Aliases() {
		if f, ok := event.FieldByName(alias); !ok || f.Name != name {
			t.Errorf("alias %s gives %q, want %s", alias, f.Name, name)
		}
	}
	if _, ok := event.FieldByName("labels.team"); !ok {
		t.Error("labels.team must be a field")
	}
	for _, name := range []string{"", "labels", "labels.", "im", "nope", "im.close.reason.x"} {
		if _, ok := event.FieldByName(name); ok {
			t.Errorf("%q must not be a field", name)
		}
	}
	if got := event.NearestField("client.ipp"); got != "client.ip" {
		t.Errorf("nearest to client.ipp is %q", got)
	}
}

// ECS 8 allows these pairs of category and type.
func TestActionsUseAllowedPairs(t *testing.T) {
	allowed := map[string][]string{
		"session":        {"start", "end", "info"},
		"network":        {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
		"authentication": {"start", "end", "info"},
		"web":            {"access", "error", "info"},
		"process":        {"access", "change", "end", "info", "start"},
	}
	for _, a := range event.Actions() {
		for _, typ := range a.Type {
			if !slices.ContainsFunc(a.Category, func(c string) bool { return slices.Contains(allowed[c], typ) }) {
				t.Errorf("%s: type %s fits none of %v", a.Code, typ, a.Category)
			}
		}
	}
}

func TestReasonLists(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range event.CloseReasons() {
		if seen[r.Reason] || r.Meaning == "" || len(r.Text) > 100 {
			t.Errorf("close reason %+v", r)
		}
		seen[r.Reason] = true
		if r.Code >= 4500 && r.Retry != event.RetryNever || r.Code >= 4000 && r.Code < 4500 && r.Retry == event.RetryNever && r != event.CloseSessionReplaced {
			t.Errorf("%s: code %d does not say %s", r.Reason, r.Code, r.Retry)
		}
		if got, ok := event.CloseReasonByName(r.Reason); !ok || got != r {
			t.Errorf("%s is not found by its name", r.Reason)
		}
	}
	for _, r := range event.HandshakeReasons() {
		if r.RetryAfter != (r.Status == 429 || r.Status == 503) || r.Meaning == "" {
			t.Errorf("handshake reason %+v", r)
		}
	}
}

func TestDocumentsAgreeWithTheTable(t *testing.T) {
	schema := indent(t, event.Schema())
	golden(t, "../docs/event.schema.json", schema)
	golden(t, "testdata/mapping.golden.json", indent(t, event.Mapping()))
	golden(t, "../docs/events.md", []byte(event.Reference()))
}

// What we write must satisfy what we publish.
func TestLinesSatisfyTheSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(indent(t, event.Schema()))))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(event.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile(event.SchemaID)
	check := func(line string, ok bool) {
		inst, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(inst); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
	check(disconnectLine, true)
	check(strings.Replace(disconnectLine, "192.0.2.33", "192.0.2", 1), false)
	check(strings.Replace(disconnectLine, "client_gone", "unknown", 1), false)
	check(`{"message":"no time"}`, false)
}

func indent(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}
