package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus/hooks/test"

	"imwatch/internal/store"
)

func doc(id string) store.Doc {
	return store.Doc{Index: "im-alerts-2026.11", ID: id, Body: []byte(`{"@timestamp":"2026-11-21T08:30:00Z"}`)}
}

// calls are all that ask the cluster.
func calls(ctx context.Context, s *Store) map[string]func() error {
	q := store.Query{Indices: "im-*"}
	return map[string]func() error{
		"Put":       func() error { _, err := s.Put(ctx, doc("1"), doc("2")); return err },
		"Swap":      func() error { _, err := s.Swap(ctx, doc("1"), "1-1"); return err },
		"Refresh":   func() error { return s.Refresh(ctx, "im-*") },
		"Get":       func() error { _, _, err := s.Get(ctx, "im-alerts-2026.11", "1"); return err },
		"Search":    func() error { return drain(s.Search(ctx, q)) },
		"Count":     func() error { _, err := s.Count(ctx, q); return err },
		"Aggregate": func() error { return drain(s.Aggregate(ctx, q, nil, 0)) },
		"Indices":   func() error { _, err := s.Indices(ctx, "im-*"); return err },
		"Drop":      func() error { return s.Drop(ctx, "im-alerts-2026.11") },
		"Setup":     func() error { return s.Setup(ctx) },
		"Lifecycle": func() error { _, err := s.Lifecycle(ctx); return err },
		"Ping":      func() error { return s.Ping(ctx) },
	}
}

// TestUnavailable lets every call fail in every way that may pass.
func TestUnavailable(t *testing.T) {
	down := serve(t, empty)
	down.Close()
	cut := serve(t, func(string, string, string) (int, string) { panic(http.ErrAbortHandler) })
	servers := map[string]*server{"no connection": down, "cut off": cut}
	for _, code := range []int{408, 429, 500, 502, 503, 504} {
		servers[fmt.Sprint(code)] = serve(t, failing(code))
	}
	for name, srv := range servers {
		t.Run(name, func(t *testing.T) {
			for op, call := range calls(t.Context(), open(t, srv.config())) {
				if err := call(); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", op, err)
				}
			}
		})
	}
}

// TestRefused lets every call fail for good: trying again would not help.
func TestRefused(t *testing.T) {
	for _, code := range []int{401, 403} {
		srv := serve(t, failing(code))
		for op, call := range calls(t.Context(), open(t, srv.config())) {
			err := call()
			if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "for this test") {
				t.Errorf("%s: %v, want a lasting error with the server's words", op, err)
			}
		}
	}
}

// TestInPart gives answers that lack something: none may pass for whole.
func TestInPart(t *testing.T) {
	answers := map[string]string{
		"shard failed": `{"timed_out":false,"_shards":{"total":2,"failed":1,"failures":[{"reason":{"type":"x","reason":"for this test"}}]},"hits":{"total":{"value":1},"hits":[]}}`,
		"timed out":    `{"timed_out":true,"_shards":{"total":2,"failed":0},"hits":{"total":{"value":1},"hits":[]}}`,
		"cut JSON":     `{"timed_out":false,"_sha`,
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(method, path, body string) (int, string) {
				if path == "/_search" {
					return 200, answer
				}
				return empty(method, path, body)
			})
			all := calls(t.Context(), open(t, srv.config()))
			for _, op := range []string{"Search", "Count", "Aggregate"} {
				if err := all[op](); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", op, err)
				}
			}
			if closed := srv.requests[len(srv.requests)-1]; !strings.HasPrefix(closed, "DELETE /_pit") {
				t.Errorf("the point in time was left open: the last request is %s", closed)
			}
		})
	}
	half := serve(t, func(string, string, string) (int, string) {
		return 200, `{"id":"p","errors":true,"items":[],"docs":[],"_shards":{"total":2,"failed":1}}`
	})
	all := calls(t.Context(), open(t, half.config()))
	for _, op := range []string{"Put", "Swap", "Get", "Refresh", "Search"} {
		if err := all[op](); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", op, err)
		}
	}
}

// TestOutcomes gives one document each of the answers that an item can have.
func TestOutcomes(t *testing.T) {
	want := map[string]store.Outcome{
		`{"status":201}`: store.Stored,
		`{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"r"}}`:                                           store.Existed,
		`{"status":400,"error":{"type":"document_parsing_exception","reason":"r","caused_by":{"type":"x","reason":"why"}}}`:          store.Rejected,
		`{"status":413,"error":{"type":"x","reason":"r"}}`:                                                                           store.Rejected,
		`{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"r"}}`:                                             store.Retry,
		`{"status":503,"error":{"type":"unavailable_shards_exception","reason":"r"}}`:                                                store.Retry,
		`{"status":500,"error":{"type":"x","reason":"r"}}`:                                                                           store.Retry,
		`{"status":403,"error":{"type":"cluster_block_exception","reason":"index is blocked"}}`:                                      store.Retry,
		`{"status":404,"error":{"type":"index_not_found_exception","reason":"r"}}`:                                                   store.Retry,
		`{"status":400,"error":{"type":"validation_exception","reason":"this cluster currently has [1]/[1] maximum normal shards"}}`: store.Retry,
	}
	var items []string
	var outcomes []store.Outcome
	var docs []store.Doc
	for item, outcome := range want {
		items, outcomes, docs = append(items, `{"create":`+item+`}`), append(outcomes, outcome), append(docs, doc(item))
	}
	srv := serve(t, func(string, string, string) (int, string) {
		return 200, `{"took":1,"errors":true,"items":[` + strings.Join(items, ",") + `]}`
	})
	reg := prometheus.NewRegistry()
	log, _ := test.NewNullLogger()
	s, err := New(srv.config(), log, reg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	results, err := s.Put(t.Context(), docs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != outcomes[i] {
			t.Errorf("%s: %v, want %v", items[i], r.Outcome, outcomes[i])
		}
		if hasReason := r.Reason != ""; hasReason != (r.Outcome == store.Rejected || r.Outcome == store.Retry) {
			t.Errorf("%s: reason %q", items[i], r.Reason)
		}
		if strings.Contains(items[i], "why") && r.Reason != "document_parsing_exception: r (why)" {
			t.Errorf("reason %q", r.Reason)
		}
	}
	expected := `# HELP im_store_put_documents_total Documents put, by what became of them: stored, existed, rejected, retry.
# TYPE im_store_put_documents_total counter
im_store_put_documents_total{outcome="existed"} 1
im_store_put_documents_total{outcome="rejected"} 2
im_store_put_documents_total{outcome="retry"} 6
im_store_put_documents_total{outcome="stored"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(expected), "im_store_put_documents_total"); err != nil {
		t.Error(err)
	}
}

// TestSplit sends batches to a server that takes little, and one that does not understand one document.
func TestSplit(t *testing.T) {
	largest := 0
	srv := serve(t, func(_, _, body string) (int, string) {
		if largest = max(largest, len(body)); len(body) > 300 {
			return http.StatusRequestEntityTooLarge, ``
		}
		if strings.Contains(body, `"bad"`) {
			return http.StatusBadRequest, `{"error":{"type":"illegal_argument_exception","reason":"for this test"}}`
		}
		n := strings.Count(body, `"create"`)
		return 200, `{"errors":true,"items":[` + strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, n), ",") + `]}`
	})
	cfg := srv.config()
	cfg.MaxBulkBytes = 64 << 10
	var docs []store.Doc
	for i := range 1000 {
		docs = append(docs, doc(fmt.Sprint(i)))
	}
	docs[500].ID = "bad"
	docs[700].Body = []byte(`{"message":"` + strings.Repeat("x", 400) + `"}`)
	results, err := open(t, cfg).Put(t.Context(), docs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := store.Stored
		if i == 500 || i == 700 {
			want = store.Rejected
		}
		if r.Outcome != want {
			t.Errorf("document %d: %v %s, want %v", i, r.Outcome, r.Reason, want)
		}
	}
	if largest > 64<<10 {
		t.Errorf("a request of %d bytes, at most %d were allowed", largest, 64<<10)
	}
}

// TestTimeout has a server that never answers: the store's own limit is ErrUnavailable, the caller's is not.
func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	srv := serve(t, func(string, string, string) (int, string) { <-release; return 200, `{}` })
	defer close(release)
	cfg := srv.config()
	cfg.Timeout = time.Second
	if err := open(t, cfg).Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after the store's timeout: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := open(t, cfg).Ping(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after the caller's: %v, want DeadlineExceeded alone", err)
	}
}
