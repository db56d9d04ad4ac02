// Package elastic asks the Elasticsearch of one's own by which programs measure.
package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Server is an Elasticsearch, by its address.
type Server string

// Call makes a request with JSON, or lines of it, and reads the answer into into; nil: it is not looked at.
func (s Server) Call(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, string(s)+path, bytes.NewReader(body))
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

// Drop deletes all indices of ours.
func (s Server) Drop(ctx context.Context) error {
	return s.Call(ctx, http.MethodDelete, "/im-*?ignore_unavailable=true&expand_wildcards=all", nil, nil)
}

// CPU is the server's processor time so far.
func (s Server) CPU(ctx context.Context) (time.Duration, error) {
	var stats struct {
		Nodes map[string]struct {
			Process struct {
				CPU struct {
					Millis int64 `json:"total_in_millis"`
				}
			}
		}
	}
	err := s.Call(ctx, http.MethodGet, "/_nodes/stats/process", nil, &stats)
	var sum time.Duration
	for _, n := range stats.Nodes {
		sum += time.Duration(n.Process.CPU.Millis) * time.Millisecond
	}
	return sum, err
}
