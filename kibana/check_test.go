package kibana

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// decoded reads the NDJSON back, as Kibana would.
func decoded(t *testing.T) []object {
	t.Helper()
	var all []object
	for line := range bytes.Lines(NDJSON()) {
		var o object
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&o); err != nil {
			t.Fatalf("%v in %.100s", err, line)
		}
		all = append(all, o)
	}
	return all
}

// inner reads JSON that stands in a string.
func inner(t *testing.T, attributes map[string]any, key string) any {
	t.Helper()
	s, ok := attributes[key].(string)
	if !ok {
		t.Fatalf("%s is %T, expected a string with JSON in it", key, attributes[key])
	}
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return v
}

func TestGolden(t *testing.T) {
	const file = "imwatch.ndjson"
	if *update {
		if err := os.WriteFile(file, NDJSON(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(NDJSON())); diff != "" {
		t.Errorf("the committed file differs; run make generate:\n%s", diff)
	}
}

func TestObjectsAreStampedAndNamed(t *testing.T) {
	allowed := map[string][]string{
		"index-pattern": {"title", "name", "timeFieldName", "fields", "fieldAttrs", "fieldFormatMap", "runtimeFieldMap", "sourceFilters", "typeMeta", "allowNoIndex"},
		"search":        {"title", "description", "columns", "sort", "grid", "hideChart", "isTextBasedQuery", "timeRestore", "rowHeight", "kibanaSavedObjectMeta"},
		"dashboard":     {"title", "description", "kibanaSavedObjectMeta", "timeRestore", "timeFrom", "timeTo", "refreshInterval", "controlGroupInput", "panelsJSON", "optionsJSON", "hits", "version"},
		"tag":           {"name", "description", "color"},
	}
	stamps := map[string]string{"index-pattern": "8.0.0", "search": "10.5.0", "dashboard": "8.9.0", "tag": "8.0.0"}
	slug := regexp.MustCompile(`^imwatch-[a-z-]+$`)
	seen := map[string]bool{}
	for _, o := range decoded(t) {
		keys, ok := allowed[o.Type]
		if !ok {
			t.Errorf("%s: type %s is not one of ours", o.ID, o.Type)
		}
		if o.Core != "8.8.0" || o.Version != stamps[o.Type] || o.Managed {
			t.Errorf("%s: stamps %s, %s", o.ID, o.Core, o.Version)
		}
		if !slug.MatchString(o.ID) || seen[o.Type+o.ID] {
			t.Errorf("%s %s: the id is no slug or not unique", o.Type, o.ID)
		}
		seen[o.Type+o.ID] = true
		for k := range o.Attributes {
			if !slices.Contains(keys, k) {
				t.Errorf("%s: Kibana forbids attribute %s", o.ID, k)
			}
		}
	}
}

func TestReferencesAreClosedBothWays(t *testing.T) {
	have := map[string]bool{}
	for _, o := range decoded(t) {
		have[o.Type+"/"+o.ID] = true
	}
	for _, o := range decoded(t) {
		used := usedReferences(t, o)
		for _, r := range o.References {
			if !have[r.Type+"/"+r.ID] {
				t.Errorf("%s: reference %s points to %s %s, which is not in the file", o.ID, r.Name, r.Type, r.ID)
			}
			if !strings.HasPrefix(r.Name, "tag-ref-") && !used[r.Name] {
				t.Errorf("%s: reference %s is not used", o.ID, r.Name)
			}
			delete(used, r.Name)
		}
		for name := range used {
			t.Errorf("%s: reference %s is used but not there", o.ID, name)
		}
	}
}

func usedReferences(t *testing.T, o object) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	if meta, ok := o.Attributes["kibanaSavedObjectMeta"].(map[string]any); ok {
		source := inner(t, meta, "searchSourceJSON").(map[string]any)
		if name, ok := source["indexRefName"].(string); ok {
			used[name] = true
		}
	}
	if o.Type == "dashboard" {
		for _, p := range inner(t, o.Attributes, "panelsJSON").([]any) {
			panel := p.(map[string]any)
			attrs := panel["embeddableConfig"].(map[string]any)["attributes"].(map[string]any)
			for _, r := range attrs["references"].([]any) {
				used[panel["panelIndex"].(string)+":"+r.(map[string]any)["name"].(string)] = true
			}
		}
	}
	return used
}

func TestPanelsFitTheGrid(t *testing.T) {
	for _, o := range decoded(t) {
		if o.Type != "dashboard" {
			continue
		}
		taken := map[[2]int]string{}
		inner(t, o.Attributes, "optionsJSON")
		for _, p := range inner(t, o.Attributes, "panelsJSON").([]any) {
			panel := p.(map[string]any)
			grid := panel["gridData"].(map[string]any)
			if grid["i"] != panel["panelIndex"] {
				t.Errorf("panel %v: i is %v", panel["panelIndex"], grid["i"])
			}
			x, y, w, h := int(grid["x"].(float64)), int(grid["y"].(float64)), int(grid["w"].(float64)), int(grid["h"].(float64))
			if x+w > 48 || w < 1 || h < 1 {
				t.Errorf("panel %v leaves the 48 columns", panel["panelIndex"])
			}
			for i := x; i < x+w; i++ {
				for j := y; j < y+h; j++ {
					if other := taken[[2]int{i, j}]; other != "" {
						t.Fatalf("panels %s and %v overlap", other, panel["panelIndex"])
					}
					taken[[2]int{i, j}] = panel["panelIndex"].(string)
				}
			}
		}
	}
}

// The Lens state is what no import checks: names of columns, and operations that fit the field's type.
func TestLensColumns(t *testing.T) {
	numeric := []event.Type{event.Long, event.Float}
	for _, p := range allPanels() {
		order := ids(p.columns)
		var bucketed []bool
		names := map[string]bool{}
		for _, c := range p.columns {
			names[c.id] = true
			bucketed = append(bucketed, c.body["isBucketed"].(bool))
			field := c.body["sourceField"].(string)
			f, known := event.FieldByName(field)
			switch op := c.body["operationType"]; {
			case op == "count":
				if field != "___records___" {
					t.Errorf("%s.%s: count of %s", p.id, c.id, field)
				}
				continue
			case !known:
				t.Errorf("%s.%s: the contract has no field %s", p.id, c.id, field)
			case op == "date_histogram" && f.Type != event.Date,
				(op == "min" || op == "max") && f.Type != event.Date,
				op == "percentile" && !slices.Contains(numeric, f.Type),
				op == "terms" && (f.Type == event.Text || f.Type == event.Flattened || f.Type == event.GeoPoint):
				t.Errorf("%s.%s: %v does not work on %s, a %s", p.id, c.id, op, field, f.Type)
			}
			if params, ok := c.body["params"].(map[string]any)["orderBy"].(map[string]any); ok && !slices.Contains(order, params["columnId"].(string)) {
				t.Errorf("%s.%s: ordered by unknown column %v", p.id, c.id, params["columnId"])
			}
		}
		if !slices.IsSortedFunc(bucketed, func(a, b bool) int { return map[bool]int{true: 0, false: 1}[a] - map[bool]int{true: 0, false: 1}[b] }) {
			t.Errorf("%s: buckets stand before numbers", p.id)
		}
		if len(names) != len(order) {
			t.Errorf("%s: column ids %v are not unique", p.id, order)
		}
		for _, name := range accessors(p.visualization) {
			if !names[name] {
				t.Errorf("%s: the visualization names column %q, there are %v", p.id, name, order)
			}
		}
		if !slices.Contains([]string{"lnsXY", "lnsMetric", "lnsDatatable"}, p.kind) || p.only.dataset == "" {
			t.Errorf("%s: kind %s, dataset %q", p.id, p.kind, p.only.dataset)
		}
	}
}

func allPanels() []panel {
	var all []panel
	for _, b := range dashboards() {
		all = append(all, b.panels...)
	}
	return all
}

// accessors finds every column that a visualization names.
func accessors(v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if name, ok := v[k].(string); ok && slices.Contains([]string{"xAccessor", "splitAccessor", "metricAccessor", "columnId"}, k) {
				out = append(out, name)
			} else if names, ok := v[k].([]string); ok && k == "accessors" {
				out = append(out, names...)
			} else {
				out = append(out, accessors(v[k])...)
			}
		}
	case []any:
		for _, x := range v {
			out = append(out, accessors(x)...)
		}
	}
	return out
}

// kqlField finds the fields of the queries, which are written as field: value or field > value.
var kqlField = regexp.MustCompile(`([@A-Za-z_.]+)(?::| >)`)

func TestEveryFieldIsInTheContract(t *testing.T) {
	check := func(where, field string) {
		if _, ok := event.FieldByName(field); !ok {
			t.Errorf("%s: the contract has no field %q; the nearest is %q", where, field, event.NearestField(field))
		}
	}
	letters := event.DeadLetterMapping()["properties"].(map[string]any)
	for _, s := range savedSearches() {
		for _, c := range s.columns {
			if _, ok := letters[c]; s.view == DeadLettersView && ok {
				continue
			}
			check(s.id, c)
		}
		for _, m := range kqlField.FindAllStringSubmatch(s.query, -1) {
			check(s.id, m[1])
		}
	}
	for _, p := range allPanels() {
		for _, m := range kqlField.FindAllStringSubmatch(p.only.query, -1) {
			check(p.id, m[1])
		}
		for _, c := range p.columns {
			if f, ok := c.body["filter"].(map[string]any); ok {
				for _, m := range kqlField.FindAllStringSubmatch(f["query"].(string), -1) {
					check(p.id, m[1])
				}
			}
		}
	}
	for _, o := range decoded(t) {
		if o.Type != "index-pattern" {
			continue
		}
		for _, key := range []string{"fields", "fieldAttrs", "runtimeFieldMap", "sourceFilters", "typeMeta"} {
			inner(t, o.Attributes, key)
		}
		for field := range inner(t, o.Attributes, "fieldFormatMap").(map[string]any) {
			check(o.ID, field)
		}
	}
}
