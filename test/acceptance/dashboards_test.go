package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/event"
	"imwatch/internal/store"
	elasticstore "imwatch/internal/store/elastic"

	"github.com/sirupsen/logrus"
)

// dashboardDay is a day that no other test writes to.
var dashboardDay = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)

// TestDashboardsHaveAnswers runs what each panel of the dashboards asks on a real Elasticsearch: every figure must have
// a value there, as its documents are.
func TestDashboardsHaveAnswers(t *testing.T) {
	address := os.Getenv(elasticVar)
	if address == "" {
		t.Skipf("%s is not set", elasticVar)
	}
	plant(t, address)
	es := elastic(address)
	if err := es.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	objects := savedObjects(t)
	panels := 0
	for _, o := range objects {
		if o.Type != "dashboard" {
			continue
		}
		for _, p := range o.panels(t) {
			panels++
			t.Run(o.ID+"/"+p.PanelIndex, func(t *testing.T) {
				layer := p.layer(t)
				var answer struct {
					Aggregations map[string]any `json:"aggregations"`
				}
				panelSearch(t, es, objects.pattern(t, p.view(t)), p.query(t, layer), &answer)
				for _, name := range layer.ColumnOrder {
					if !layer.Columns[name].IsBucketed && !layer.valued(answer.Aggregations, name) {
						t.Errorf("column %s has no value: %v", name, answer.Aggregations)
					}
				}
			})
		}
	}
	if panels < 20 {
		t.Errorf("only %d panels", panels)
	}
}

// plant writes documents of everything that the dashboards show: connections, an alert of each severity, notifications
// in every state.
func plant(t *testing.T, address string) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(t.Output())
	cfg := elasticstore.DefaultConfig()
	cfg.Addresses, cfg.Replicas = []string{address}, 0
	s, err := elasticstore.New(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, pattern := range []string{event.EventIndices, event.AlertIndices, event.NotifyIndices} {
			names, err := s.Indices(ctx, pattern)
			if err != nil {
				t.Error(err)
			}
			for _, name := range names {
				if strings.Contains(name, "-2031.05") {
					_ = s.Drop(ctx, name) // a day of its own: what is left disturbs nobody
				}
			}
		}
		_ = s.Close()
	})
	var docs []store.Doc
	for i, fields := range []string{
		`"event":{"action":"connect","duration":1200000%s}`, `"event":{"action":"disconnect"%s},"im":{"close":{"reason":"client_close"}}`,
		`"event":{"action":"handshake_failure","reason":"token_expired"%s}`, `"event":{"action":"heartbeat_timeout"%s}`,
	} {
		id := fmt.Sprintf("dashboard-%d", i)
		body := fmt.Sprintf(`{"@timestamp":%q,%s,"client":{"ip":"192.0.2.1"},"service":{"node":{"name":"im-1"}}}`,
			event.FormatTime(dashboardDay), fmt.Sprintf(fields, `,"kind":"event","dataset":"im.connection","id":"`+id+`"`))
		docs = append(docs, store.Doc{Index: event.IndexFor(event.ClassOf(event.LevelInfo), dashboardDay), ID: id, Body: []byte(body)})
	}
	var entries []*outbox.Entry
	for i, severity := range event.Severities() {
		a := &event.Alert{
			Time: dashboardDay, From: dashboardDay, ID: "dashboard-" + severity, State: event.StateFiring, RuleID: "rule-" + severity, RuleName: "Rule",
			Status: "enabled", Severity: severity, Value: 21, Limit: "> 20",
		}
		line, err := a.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, store.Doc{Index: event.AlertIndex(a.From), ID: a.ID, Body: line})
		for j, e := range []outbox.Entry{
			{State: outbox.Pending},
			{State: outbox.Pending, Verdict: "silenced", Held: "silenced", Answer: "silence s of ann: night"},
			{State: outbox.Sent, Verdict: "accepted", Attempts: 1 + i, SentAt: dashboardDay.Add(3 * time.Second)},
			{State: outbox.Sent, Verdict: "accepted", Attempts: 1, SentAt: dashboardDay.Add(4 * time.Hour), Kind: channel.Repeat},
			{State: outbox.Failed, Verdict: "permanent", Attempts: 2, Answer: "93000 invalid webhook url"},
		} {
			if e.Kind == "" {
				e.Kind = channel.Firing
			}
			e.At, e.Moment, e.Receiver, e.Channel, e.Alert, e.Line = dashboardDay, dashboardDay, fmt.Sprintf("team-%d", j), "wecom", *a, line
			entries = append(entries, &e)
		}
	}
	stored := func(results []store.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Outcome != store.Stored && r.Outcome != store.Existed {
				t.Fatalf("%v: %s", r.Outcome, r.Reason)
			}
		}
	}
	stored(s.Put(t.Context(), docs...))
	stored(outbox.New(s).Add(t.Context(), entries...))
}

func panelSearch(t *testing.T, es elastic, pattern string, body map[string]any, answer any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := postJSON(t.Context(), string(es)+"/"+pattern+"/_search?ignore_unavailable=false&allow_no_indices=false", text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if err := json.Unmarshal(got, answer); err != nil {
		t.Fatal(err)
	}
}

// savedObject is a line of the file that Kibana imports.
type savedObject struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

type savedFile []savedObject

func savedObjects(t *testing.T) savedFile {
	t.Helper()
	b, err := os.ReadFile("../../kibana/imwatch.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var all savedFile
	for line := range bytes.Lines(b) {
		var o savedObject
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// pattern gives the indices of a data view.
func (f savedFile) pattern(t *testing.T, view string) string {
	t.Helper()
	for _, o := range f {
		if o.Type == "index-pattern" && o.ID == view {
			return o.Attributes["title"].(string)
		}
	}
	t.Fatalf("there is no data view %s", view)
	return ""
}

// lensPanel is a panel of a dashboard.
type lensPanel struct {
	PanelIndex       string `json:"panelIndex"`
	EmbeddableConfig struct {
		Attributes struct {
			References []struct{ ID, Name string } `json:"references"`
			State      struct {
				Query            struct{ Query string } `json:"query"`
				Filters          []struct{ Query any }  `json:"filters"`
				DatasourceStates struct {
					FormBased struct {
						Layers map[string]lensLayer `json:"layers"`
					} `json:"formBased"`
				} `json:"datasourceStates"`
			} `json:"state"`
		} `json:"attributes"`
	} `json:"embeddableConfig"`
}

type lensLayer struct {
	ColumnOrder []string              `json:"columnOrder"`
	Columns     map[string]lensColumn `json:"columns"`
}

type lensColumn struct {
	Operation  string                 `json:"operationType"`
	Field      string                 `json:"sourceField"`
	IsBucketed bool                   `json:"isBucketed"`
	Filter     struct{ Query string } `json:"filter"`
	Params     struct {
		Size       int     `json:"size"`
		Percentile float64 `json:"percentile"`
	} `json:"params"`
}

func (o savedObject) panels(t *testing.T) []lensPanel {
	t.Helper()
	var all []lensPanel
	if err := json.Unmarshal([]byte(o.Attributes["panelsJSON"].(string)), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (p lensPanel) view(t *testing.T) string {
	t.Helper()
	for _, r := range p.EmbeddableConfig.Attributes.References {
		if strings.HasPrefix(r.Name, "indexpattern-datasource-layer-") {
			return r.ID
		}
	}
	t.Fatal("the panel has no data view")
	return ""
}

func (p lensPanel) layer(t *testing.T) lensLayer {
	t.Helper()
	for _, l := range p.EmbeddableConfig.Attributes.State.DatasourceStates.FormBased.Layers {
		return l
	}
	t.Fatal("the panel has no layer")
	return lensLayer{}
}

// query gives the search that Lens makes of a panel.
func (p lensPanel) query(t *testing.T, l lensLayer) map[string]any {
	t.Helper()
	must := []any{map[string]any{"range": map[string]any{"@timestamp": map[string]any{
		"gte": event.FormatTime(dashboardDay.Add(-time.Hour)), "lt": event.FormatTime(dashboardDay.Add(time.Hour)),
	}}}}
	for _, f := range p.EmbeddableConfig.Attributes.State.Filters {
		must = append(must, f.Query)
	}
	if q := p.EmbeddableConfig.Attributes.State.Query.Query; q != "" {
		must = append(must, lucene(q))
	}
	return map[string]any{"size": 0, "query": map[string]any{"bool": map[string]any{"filter": must}}, "aggs": l.aggs(l.ColumnOrder)}
}

// aggs nests the aggregations of the columns from the first on.
func (l lensLayer) aggs(names []string) map[string]any {
	if c := l.Columns[names[0]]; c.IsBucketed {
		inner := map[string]any{"terms": map[string]any{"field": c.Field, "size": c.Params.Size}}
		if c.Operation == "date_histogram" {
			inner = map[string]any{"date_histogram": map[string]any{"field": c.Field, "fixed_interval": "10m"}}
		}
		inner["aggs"] = l.aggs(names[1:])
		return map[string]any{names[0]: inner}
	}
	all := map[string]any{}
	for _, name := range names {
		c := l.Columns[name]
		a := map[string]any{"filter": lucene(c.Filter.Query)}
		switch c.Operation {
		case "percentile":
			a["aggs"] = map[string]any{"v": map[string]any{"percentiles": map[string]any{"field": c.Field, "percents": []float64{c.Params.Percentile}}}}
		case "min", "max":
			a["aggs"] = map[string]any{"v": map[string]any{c.Operation: map[string]any{"field": c.Field}}}
		}
		all[name] = a
	}
	return all
}

// valued says whether a column has a value other than nothing in some bucket.
func (l lensLayer) valued(aggs map[string]any, column string) bool {
	for name, v := range aggs {
		a, ok := v.(map[string]any)
		if !ok {
			continue
		}
		if buckets, ok := a["buckets"].([]any); ok {
			for _, b := range buckets {
				if l.valued(b.(map[string]any), column) {
					return true
				}
			}
			continue
		}
		if name != column || a["doc_count"].(float64) == 0 {
			continue
		}
		inner, _ := a["v"].(map[string]any)
		values, _ := inner["values"].(map[string]any)
		if inner == nil || inner["value"] != nil {
			return true
		}
		for _, p := range values {
			if p != nil {
				return true
			}
		}
	}
	return false
}

// lucene gives a KQL query of the kind that we write as Elasticsearch's query_string, which has the same meaning.
func lucene(kql string) map[string]any {
	if kql == "" {
		return map[string]any{"match_all": map[string]any{}}
	}
	text := kqlWord.ReplaceAllStringFunc(kql, strings.ToUpper)
	text = strings.NewReplacer(" > ", ":>", ": ", ":").Replace(text)
	return map[string]any{"query_string": map[string]any{"query": text}}
}

// kqlWord finds the operators, which are words in no value of ours.
var kqlWord = regexp.MustCompile(`\b(and|or|not)\b`)
