package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// elastic is an Elasticsearch of one's own.
type elastic struct{ url string }

func (e elastic) call(ctx context.Context, method, path, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("calling Elasticsearch: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("calling Elasticsearch: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading Elasticsearch's answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: status %d: %.300s", method, path, resp.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// held is what indices have on disk.
type held struct {
	docs, bytes int64 // without the translog
	segments    int64
	by          map[string]int64 // documents by index
}

func (e elastic) held(ctx context.Context, indices string) (held, error) {
	if err := e.call(ctx, http.MethodPost, "/"+indices+"/_flush?wait_if_ongoing=true", "", nil); err != nil {
		return held{}, err
	}
	if err := e.call(ctx, http.MethodPost, "/"+indices+"/_refresh", "", nil); err != nil {
		return held{}, err
	}
	type primaries struct {
		Docs     struct{ Count int64 }
		Segments struct{ Count int64 }
		Store    struct {
			Size int64 `json:"size_in_bytes"`
		}
		Translog struct {
			Size int64 `json:"size_in_bytes"`
		}
	}
	var stats struct {
		All     struct{ Primaries primaries } `json:"_all"`
		Indices map[string]struct{ Primaries primaries }
	}
	if err := e.call(ctx, http.MethodGet, "/"+indices+"/_stats/docs,store,segments,translog", "", &stats); err != nil {
		return held{}, err
	}
	p := stats.All.Primaries
	h := held{docs: p.Docs.Count, bytes: p.Store.Size - p.Translog.Size, segments: p.Segments.Count, by: map[string]int64{}}
	for name, ix := range stats.Indices {
		h.by[name] = ix.Primaries.Docs.Count
	}
	return h, nil
}

func (e elastic) merge(ctx context.Context, indices string) error {
	return e.call(ctx, http.MethodPost, "/"+indices+"/_forcemerge?max_num_segments=1", "", nil)
}

// cpu is the server's processor time so far.
func (e elastic) cpu(ctx context.Context) (time.Duration, error) {
	var stats struct {
		Nodes map[string]struct {
			Process struct {
				CPU struct {
					Millis int64 `json:"total_in_millis"`
				}
			}
		}
	}
	err := e.call(ctx, http.MethodGet, "/_nodes/stats/process", "", &stats)
	var sum time.Duration
	for _, n := range stats.Nodes {
		sum += time.Duration(n.Process.CPU.Millis) * time.Millisecond
	}
	return sum, err
}

// again writes an index's documents into a new one with other settings, and merges that.
func (e elastic) again(ctx context.Context, from, to, settings string) error {
	if err := e.call(ctx, http.MethodPut, "/"+to, `{"settings":`+settings+`}`, nil); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"source":{"index":%q,"size":5000},"dest":{"index":%q}}`, from, to)
	if err := e.call(ctx, http.MethodPost, "/_reindex?refresh=true", body, nil); err != nil {
		return err
	}
	return e.merge(ctx, to)
}
