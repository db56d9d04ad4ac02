package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"imwatch/event"
)

// elastic is a real Elasticsearch, asked without any code of ours in between.
type elastic string

type hits struct {
	TimedOut bool `json:"timed_out"`
	Shards   struct {
		Failed int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value int `json:"value"`
		} `json:"total"`
		Hits []struct {
			Index  string          `json:"_index"`
			ID     string          `json:"_id"`
			Source json.RawMessage `json:"_source"`
			Sort   json.RawMessage `json:"sort"`
		} `json:"hits"`
	} `json:"hits"`
}

func (x elastic) search(ctx context.Context, pattern string, body map[string]any) (hits, error) {
	var h hits
	text, err := json.Marshal(body)
	if err != nil {
		return h, err
	}
	answer, err := postJSON(ctx, string(x)+"/"+pattern+"/_search", text)
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(answer, &h); err != nil {
		return h, err
	}
	if h.TimedOut || h.Shards.Failed > 0 {
		return h, fmt.Errorf("the answer is not whole: %s", answer[:min(len(answer), 300)])
	}
	return h, nil
}

func (x elastic) refresh(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(x)+"/im-*/_refresh", nil)
	if err != nil {
		return err
	}
	_, err = do(req)
	return err
}

// events gives all documents of events. One id in two indices is an error.
func (x elastic) events(ctx context.Context) (map[string]record, error) {
	if err := x.refresh(ctx); err != nil {
		return nil, err
	}
	docs := map[string]record{}
	var after json.RawMessage
	for {
		body := map[string]any{"size": 5000, "sort": []any{map[string]any{"event.id": "asc"}}, "track_total_hits": true}
		if after != nil {
			body["search_after"] = after
		}
		h, err := x.search(ctx, event.EventIndices, body)
		if err != nil {
			return nil, err
		}
		if len(h.Hits.Hits) == 0 {
			if len(docs) != h.Hits.Total.Value {
				return nil, fmt.Errorf("%d ids in %d documents", len(docs), h.Hits.Total.Value)
			}
			return docs, nil
		}
		for _, hit := range h.Hits.Hits {
			r, err := readRecord(hit.Source)
			if err != nil || r.id != hit.ID {
				return nil, fmt.Errorf("document %s of %s has event.id %q: %w", hit.ID, hit.Index, r.id, err)
			}
			docs[hit.ID] = r
			after = hit.Sort
		}
	}
}

// settled waits until every line is a document.
func (x elastic) settled(t *testing.T, s *site) (docs map[string]record, deadLetters int) {
	t.Helper()
	s.stop(t, node1)
	s.stop(t, node2)
	j := readJournal(t, s.logs)
	waitFor(t, "every line is a document", 2*time.Minute, func(ctx context.Context) (err error) {
		if docs, err = x.events(ctx); err != nil {
			return err
		}
		return sameDocuments(j.byID, j.byID, docs)
	})
	letters, err := x.search(t.Context(), event.DeadLetterIndices, map[string]any{"size": 0, "track_total_hits": true})
	if err != nil {
		t.Fatal(err)
	}
	return docs, letters.Hits.Total.Value
}

// since says whether there is a document about something since a moment.
func (x elastic) since(ctx context.Context, at time.Time) error {
	if err := x.refresh(ctx); err != nil {
		return err
	}
	h, err := x.search(ctx, event.EventIndices, map[string]any{
		"size": 0, "query": map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": event.FormatTime(at)}}},
	})
	if err == nil && h.Hits.Total.Value == 0 {
		err = fmt.Errorf("no document since %s", event.FormatTime(at))
	}
	return err
}

// typed runs a query as Kibana does with what is typed into its search bar, and gives the ids of what it finds.
func (x elastic) typed(t *testing.T, query string) []string {
	t.Helper()
	h, err := x.search(t.Context(), event.EventIndices, map[string]any{
		"size": 10_000, "_source": false, "sort": []any{map[string]any{"event.id": "asc"}},
		"query": map[string]any{"query_string": map[string]any{"query": query, "analyze_wildcard": true, "time_zone": "UTC"}},
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	ids := []string{}
	for _, hit := range h.Hits.Hits {
		ids = append(ids, hit.ID)
	}
	return ids
}
