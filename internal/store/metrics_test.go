package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	m.Put([]Result{{}, {Outcome: Existed}, {Outcome: Rejected}})
	shared.Put([]Result{{}, {Outcome: Retry}})
	for _, err := range []error{nil, ErrConflict, fmt.Errorf("x: %w", ErrNotFound), ErrUnavailable, errors.New("x")} {
		m.Observe("get")(err)
	}
	want := `# HELP im_store_errors_total Operations of the store that failed.
# TYPE im_store_errors_total counter
im_store_errors_total{op="get"} 2
# HELP im_store_put_documents_total Documents put, by what became of them: stored, existed, rejected, retry.
# TYPE im_store_put_documents_total counter
im_store_put_documents_total{outcome="existed"} 1
im_store_put_documents_total{outcome="rejected"} 1
im_store_put_documents_total{outcome="retry"} 1
im_store_put_documents_total{outcome="stored"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "im_store_errors_total", "im_store_put_documents_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(m.seconds); n != 1 {
		t.Errorf("%d histograms, want one for the one operation", n)
	}
}
