package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imwatch/shipper/index/status"
)

// fixedIndexer tells always the same.
type fixedIndexer struct{ status status.Status }

func (f fixedIndexer) Status() status.Status { return f.status }

func indexServer(t *testing.T, token string, all ...status.Indexer) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /-/index", OpsConfig{Token: token}.guarded(status.Serve(all, time.Now)))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestIndexStatus(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	before, eta := at.Add(-2*time.Second), 90.0
	elastic := status.Status{
		At: at, Sink: "elasticsearch", Group: "imwatch-indexer", Healthy: true, Trouble: []string{},
		Lag: status.Lag{Lines: 18_000, Bytes: 9 << 20, Seconds: 12, ETA: &eta}, Throughput: status.Throughput{Stored: 1200, Produced: 1000},
		Store:      status.Store{InFlight: 2, Bytes: 6 << 20, Batch: 3 << 20, Window: &status.Window{Bytes: 6 << 20, Least: 64 << 10, Most: 20 << 20}, Success: &before, Error: "429 too many requests", ErrorAt: &before},
		Searchable: &status.Searchable{Seconds: 0.8, At: &before, Index: "im-connection-info-2026.11.28"},
		Partitions: []status.Partition{{Topic: "im.lifecycle", Partition: 3, Next: 900, Committed: 800, End: 18_800, EndSeen: &before, LagLines: 18_000, LagBytes: 9 << 20, LagSeconds: 12, Rate: 1200, ETA: &eta}},
		Canaries:   []status.Canary{{Node: "im-1", At: before, Seconds: 1.9, Every: 60, Late: true}},
		Outcomes:   map[string]int64{"stored": 5, "existed": 6, "dead_letter": 7, "watermark": 8},
		DeadLetter: &status.DeadLetter{At: before, Reason: "json", Detail: "no object", Topic: "im.lifecycle", Partition: 1, Offset: 42},
	}
	parquet := status.Status{
		At: at, Sink: "parquet", Group: "imwatch-indexer-parquet", Trouble: []string{"parquet has taken nothing for 12s: no space left"},
		Store: status.Store{Failing: &before}, Held: []status.Held{{Topic: "im.lifecycle", Partition: 2, From: 4, To: 9, Bytes: 3 << 10, Age: 7}},
	}
	run := func(asJSON bool, all ...status.Indexer) (string, error) {
		var out bytes.Buffer
		o := &IndexOps{Server: indexServer(t, shipToken, all...), Env: []string{"IMWATCH_OPS_TOKEN=" + shipToken}, JSON: asJSON, Out: &out}
		err := o.Status(t.Context())
		return out.String(), err
	}
	out, err := run(false, fixedIndexer{elastic})
	if err != nil {
		t.Error(err)
	}
	for _, says := range []string{
		"into elasticsearch, group imwatch-indexer, healthy", "18000 messages, about 9.0 MiB, the oldest 12s; caught up in 1m30s", "1200 messages/s stored, 1000 messages/s produced",
		"2 batches (6.0 MiB) in flight, the next of 3.0 MiB, window 6.0 MiB within 64.0 KiB to 20.0 MiB, last taken 2s ago", "429 too many requests",
		"800ms after it was stored", "5 stored, 6 were there, 7 dead letters", "json, no object (im.lifecycle, partition 1, offset 42)", "im-1", "1.9s", "the next one is missing", "18800",
	} {
		if !strings.Contains(out, says) {
			t.Errorf("%q is missing in\n%s", says, out)
		}
	}
	out, err = run(false, fixedIndexer{elastic}, fixedIndexer{parquet})
	if !errors.Is(err, errIndexUnhealthy) || !strings.Contains(err.Error(), "parquet: parquet has taken nothing") || !strings.Contains(out, "into parquet, group imwatch-indexer-parquet, UNHEALTHY") || !strings.Contains(out, "3.0 KiB") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = run(true, fixedIndexer{elastic}, fixedIndexer{parquet})
	var got status.Report
	if !errors.Is(err, errIndexUnhealthy) || json.Unmarshal([]byte(out), &got) != nil || got.Healthy || len(got.Sinks) != 2 || !got.Sinks[0].Healthy || got.Sinks[1].Held[0].To != 9 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestIndexToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ configured, sent, says string }{
		{shipToken, shipToken + "x", "status 401"},
		{"", shipToken, "status 403: ops.token is not configured: /-/index is switched off"},
	} {
		o := &IndexOps{Server: indexServer(t, tt.configured, fixedIndexer{}), Env: []string{"IMWATCH_OPS_TOKEN=" + tt.sent}, Out: &bytes.Buffer{}}
		if err := o.Status(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v in place of %q", err, tt.says)
		}
	}
}

func TestIndexOutlookOfChunks(t *testing.T) {
	t.Parallel()
	none, some := 0.0, 90.0
	held := []status.Held{{Topic: "im.lifecycle", To: 41}}
	for _, c := range []struct {
		lag  status.Lag
		held []status.Held
		want string
	}{
		{status.Lag{Lines: 42, Seconds: 31, ETA: &none}, held, "all but what is held is stored"},
		{status.Lag{Lines: 42, Seconds: 1, ETA: &none}, held, "all but what is held is stored"},
		{status.Lag{Lines: 9000, Seconds: 31, ETA: &some}, held, "caught up in 1m30s"},
		{status.Lag{Lines: 42, Seconds: 1, ETA: &none}, nil, "it keeps up"},
		{status.Lag{Lines: 9000, Seconds: 31}, held, "it becomes no less"},
		{status.Lag{ETA: &none}, nil, "all is stored"},
	} {
		if got := indexOutlook(&status.Status{Lag: c.lag, Held: c.held}); got != c.want {
			t.Errorf("%+v with %d held: %q, not %q", c.lag, len(c.held), got, c.want)
		}
	}
}
