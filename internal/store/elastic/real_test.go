package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/event"
	"imwatch/internal/store"
)

// onReal sets a real cluster up and gives an index of this run's own, gone afterwards.
func onReal(t *testing.T, kind string) (*Store, string) {
	t.Helper()
	s := onCluster(t, DefaultConfig())
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	index := fmt.Sprintf("%st%d-x", kind, time.Now().UnixNano())
	t.Cleanup(func() {
		if err := s.Drop(context.Background(), index); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	return s, index
}

func stored(t *testing.T, s *Store, docs ...store.Doc) {
	t.Helper()
	results, err := s.Put(t.Context(), docs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != store.Stored {
			t.Fatalf("%v %s\n%s", r.Outcome, r.Reason, docs[i].Body)
		}
	}
	if err := s.Refresh(t.Context(), docs[0].Index); err != nil {
		t.Fatal(err)
	}
}

// TestPointInTimeGone goes on with a search whose point in time the cluster has forgotten, as after a restart.
func TestPointInTimeGone(t *testing.T) {
	s, index := onReal(t, "im-connection-info-")
	stored(t, s, store.Doc{Index: index, ID: "1", Body: []byte(`{"@timestamp":"2026-11-21T08:30:00Z"}`)})
	p, err := s.client.openPIT(t.Context(), []string{index})
	if err != nil {
		t.Fatal(err)
	}
	p.close(t.Context())
	if err := drain(p.pages(t.Context(), all().dsl)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("searching: %v, want ErrUnavailable", err)
	}
}

// TestAlertFits puts an alert line with all that it can have.
func TestAlertFits(t *testing.T) {
	s, index := onReal(t, "im-alerts-")
	at := time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC)
	a := event.Alert{
		Time: at, ID: "a1", State: event.StateResolved, RuleID: "r", RuleName: "R", Status: "enabled", Severity: "high",
		Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}}, Value: 21.5, Limit: "> 20", Window: "1m", From: at, To: at.Add(time.Minute),
		FirstEvent: "e1", EvidenceIDs: []string{"e1", "e2"}, Top: map[string][]event.TopValue{"event.reason": {{Value: "x", Count: 2}}},
		Degraded: true, Labels: map[string]string{"team": "im"}, Annotations: map[string]string{"summary": "s", "runbook": "r", "more": "m"},
	}
	body, err := a.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	stored(t, s, store.Doc{Index: index, ID: a.DocID(), Body: body})
}

// TestWhatShippersMakeIsTaken puts what the shipper makes of lines of all formats: none may be refused.
func TestWhatShippersMakeIsTaken(t *testing.T) {
	s, index := onReal(t, "im-connection-info-")
	files, err := filepath.Glob("../../../shipper/parse/testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var docs []store.Doc
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			if line[0] == '{' {
				docs = append(docs, store.Doc{Index: index, ID: fmt.Sprint(len(docs)), Body: bytes.TrimSpace(line)})
			}
		}
	}
	stored(t, s, docs...)
}

// TestTypedInKibana runs a query as it is typed in Kibana's search bar.
func TestTypedInKibana(t *testing.T) {
	s, index := onReal(t, "im-connection-error-")
	line := func(status int, path string) []byte {
		return fmt.Appendf(nil, `{"@timestamp":"2026-11-21T08:30:00Z","url":{"path":%q},"http":{"response":{"status_code":%d}}}`, path, status)
	}
	stored(t, s, store.Doc{Index: index, ID: "1", Body: line(500, "/ws/connect")},
		store.Doc{Index: index, ID: "2", Body: line(500, "/healthz")}, store.Doc{Index: index, ID: "3", Body: line(101, "/ws/connect")})
	query, err := json.Marshal(obj{"query": obj{"query_string": obj{"query": `status:500 AND path:"/ws/connect"`}}})
	if err != nil {
		t.Fatal(err)
	}
	var got answer
	if err := s.client.do(t.Context(), esapi.SearchRequest{Index: []string{index}, Body: bytes.NewReader(query)}, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Hits.Hits) != 1 || got.Hits.Hits[0].ID != "1" {
		t.Errorf("found %v", got.Hits.Hits)
	}
}

// TestLifecycleAsked holds the answer to whether the cluster knows the setting of a policy in a template.
func TestLifecycleAsked(t *testing.T) {
	s := onCluster(t, DefaultConfig())
	has, err := s.Lifecycle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := s.cfg.kinds()[0]
	k.name, k.pattern = "imwatch-test-lifecycle", "im-test-lifecycle-*"
	body, err := json.Marshal(k.template(true))
	if err != nil {
		t.Fatal(err)
	}
	template := string(body)
	template = strings.ReplaceAll(template, `"priority":200`, `"priority":1`)
	err = s.client.do(t.Context(), esapi.IndicesSimulateTemplateRequest{Body: strings.NewReader(template)}, nil)
	if (err == nil) != has {
		t.Errorf("Lifecycle says %v, and a template with a policy: %v", has, err)
	}
}

// TestSettingsArrive makes indices of a cluster that was set up with everything that can be set, and puts the defaults back.
func TestSettingsArrive(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Shards, cfg.ShardsByClass, cfg.Codec, cfg.RefreshInterval = 2, map[string]int{"info": 4, "error": 1}, CodecBest, 1500*time.Millisecond
	set := onCluster(t, cfg)
	back := onCluster(t, DefaultConfig())
	t.Cleanup(func() {
		if err := back.Setup(context.Background()); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	for _, tt := range []struct {
		s      *Store
		shards map[string]string
		codec  string
		every  string
	}{
		{set, map[string]string{"info": "4", "warn": "2", "error": "1"}, CodecBest, "1500ms"},
		{back, map[string]string{"info": "1", "warn": "1", "error": "1"}, "", ""},
	} {
		if err := tt.s.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		for class, shards := range tt.shards {
			index := fmt.Sprintf("im-connection-%s-t%d-x", class, time.Now().UnixNano())
			stored(t, tt.s, store.Doc{Index: index, ID: "1", Body: []byte(`{"@timestamp":"2026-11-21T08:30:00Z"}`)})
			var got map[string]struct {
				Settings map[string]string
			}
			flat := true
			err := tt.s.client.do(t.Context(), esapi.IndicesGetSettingsRequest{Index: []string{index}, FlatSettings: &flat}, &got)
			if err != nil {
				t.Fatal(err)
			}
			has := got[index].Settings
			if has["index.number_of_shards"] != shards || has["index.codec"] != tt.codec || has["index.refresh_interval"] != tt.every {
				t.Errorf("%s: %v", class, has)
			}
			if err := tt.s.Drop(t.Context(), index); err != nil {
				t.Error(err)
			}
		}
	}
}
