package elastic

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// server stands in for a cluster where a test needs an answer that a healthy one does not give, or the very requests.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
}

// serve answers each request by what reply gives: a status and a body.
func serve(t *testing.T, reply func(method, path, body string) (int, string)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.requests = append(s.requests, printRequest(r.Method, r.URL, body))
		s.mu.Unlock()
		code, text := reply(r.Method, r.URL.Path, string(body))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) config() Config {
	cfg := DefaultConfig()
	cfg.Addresses = []string{s.URL}
	return cfg
}

// printRequest writes a request for people: the query sorted, each line of the body indented JSON.
func printRequest(method string, u *url.URL, body []byte) string {
	text := method + " " + u.Path
	if u.RawQuery != "" {
		query, _ := url.QueryUnescape(u.Query().Encode())
		text += "?" + query
	}
	text += "\n"
	for line := range strings.Lines(string(body)) {
		var v any
		if json.Unmarshal([]byte(line), &v) == nil {
			pretty, _ := json.MarshalIndent(v, "", "  ")
			line = string(pretty) + "\n"
		}
		text += line
	}
	return text
}

// empty answers as a cluster without documents does.
func empty(method, path, _ string) (int, string) {
	switch {
	case strings.HasSuffix(path, "/_pit") && method == http.MethodPost:
		return 200, `{"id":"point-1","_shards":{"total":2,"failed":0}}`
	case path == "/_search":
		return 200, `{"pit_id":"point-2","timed_out":false,"_shards":{"total":2,"failed":0},"hits":{"total":{"value":0},"hits":[]},"aggregations":{"groups":{"buckets":[]}}}`
	case path == "/_mget":
		return 200, `{"docs":[{"found":false}]}`
	case path == "/_bulk":
		return 200, `{"errors":false,"took":1,"items":[{"create":{"status":201,"_seq_no":4,"_primary_term":2}}]}`
	}
	return 200, `{}`
}

// golden compares text with a file.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got), write anew with -update:\n%s", path, diff)
	}
}

func (s *server) golden(t *testing.T, name string) {
	t.Helper()
	golden(t, name, strings.Join(s.requests, "\n"))
}

func failing(code int) func(string, string, string) (int, string) {
	return func(string, string, string) (int, string) {
		return code, fmt.Sprintf(`{"error":{"root_cause":[],"type":"some_exception","reason":"for this test"},"status":%d}`, code)
	}
}
