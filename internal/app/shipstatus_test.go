package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imwatch/shipper/status"
)

// fixedShipper tells always the same.
type fixedShipper struct {
	status status.Status
	files  []status.File
}

func (f fixedShipper) Status(context.Context) status.Status { return f.status }
func (f fixedShipper) Files(context.Context) (string, []status.File, error) {
	return "node-1", f.files, nil
}

func shipServer(t *testing.T, token string, f fixedShipper) string {
	t.Helper()
	mux := http.NewServeMux()
	cfg := OpsConfig{Token: token}
	mux.Handle("GET /-/files", cfg.guarded(status.ServeFiles(f)))
	mux.Handle("GET /-/ship", cfg.guarded(status.ServeStatus(f)))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

const shipToken = "0123456789abcdef"

func TestOutlook(t *testing.T) {
	t.Parallel()
	eta := 90.0
	for _, c := range []struct {
		lines int64
		age   float64
		eta   *float64
		want  string
	}{
		{0, 0, nil, "all is there"},
		{24, 0.5, &eta, "it keeps up"}, // what is on its way: rates of so few say nothing
		{24, 0.5, nil, "it keeps up"},
		{24, 6, &eta, "caught up in 1m30s"},
		{24, 6, nil, "it becomes no less"},
	} {
		if got := outlook(c.lines, c.age, c.eta, "all is there"); got != c.want {
			t.Errorf("%d lines, the oldest of %v s: %q, not %q", c.lines, c.age, got, c.want)
		}
	}
}

func TestShipStatus(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	eta := 90.0
	f := fixedShipper{
		status: status.Status{
			At: at, Node: "node-1", Healthy: true, Trouble: []string{}, Files: status.Files{Known: 2, States: map[string]int{"live": 1, "rotated": 1}, Behind: 1},
			Queue: status.Queue{Dir: "q", Bytes: 3 << 20, Most: 1 << 30, Segments: 2, Entries: 7, Oldest: 4.5, Full: "block"}, Kafka: status.Kafka{Reached: true, LastAck: &at},
			Throughput: status.Throughput{Lines: 1200, Written: 1000}, Lag: status.Lag{Lines: 18_000, Bytes: 1 << 20, Seconds: 12, ETA: &eta},
		},
		files: []status.File{{Path: "/log/a.log", State: "live"}, {Path: "/log/a.log.1", State: "rotated", LagBytes: 1 << 20, LagLines: 18_000}},
	}
	url := shipServer(t, shipToken, f)
	run := func(json bool, do func(*ShipOps) error) (string, error) {
		var out bytes.Buffer
		o := &ShipOps{Server: url, Env: []string{"IMWATCH_OPS_TOKEN=" + shipToken}, JSON: json, Out: &out}
		err := do(o)
		return out.String(), err
	}
	out, err := run(false, func(o *ShipOps) error { return o.Status(t.Context()) })
	if err != nil {
		t.Error(err)
	}
	for _, says := range []string{"node-1, healthy", "1 live, 1 rotated", "3.0 MiB of 1.0 GiB in 2 segments", "1200 lines/s", "18000 lines", "caught up in 1m30s", "/log/a.log.1"} {
		if !strings.Contains(out, says) {
			t.Errorf("%q is missing in\n%s", says, out)
		}
	}
	if strings.Contains(out, "/log/a.log ") {
		t.Errorf("a file is listed that is not behind:\n%s", out)
	}

	out, err = run(false, func(o *ShipOps) error { return o.Files(t.Context(), []string{"state=live", "limit=1"}) })
	if err != nil || strings.Count(out, "\n") != 2 || !strings.Contains(out, "/log/a.log") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := run(false, func(o *ShipOps) error { return o.Files(t.Context(), []string{"stat=live"}) }); !strings.Contains(errText(err), "did you mean state?") {
		t.Errorf("%v", err)
	}

	f.status.Healthy, f.status.Trouble = false, []string{"Kafka has acknowledged nothing for 12 s"}
	url = shipServer(t, shipToken, f)
	out, err = run(true, func(o *ShipOps) error { return o.Status(t.Context()) })
	var got struct {
		status.Status
		Farthest []status.File
	}
	if !errors.Is(err, errUnhealthy) || json.Unmarshal([]byte(out), &got) != nil || got.Healthy || len(got.Farthest) != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestShipTokens(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		configured, sent string
		status           int
	}{
		{shipToken, "Bearer " + shipToken, 200},
		{shipToken, "bearer " + shipToken, 200},
		{shipToken, "", 401},
		{shipToken, "Bearer 0123456789abcdeX", 401},
		{shipToken, "Bearer 0123456789", 401},
		{shipToken, "Basic " + shipToken, 401},
		{"", "Bearer ", 403},
		{"", "", 403},
	} {
		url := shipServer(t, tt.configured, fixedShipper{})
		for _, path := range []string{"/-/files", "/-/ship"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", tt.sent)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("%q with %q configured: %d, not %d", tt.sent, tt.configured, resp.StatusCode, tt.status)
			}
		}
	}
	if err := (OpsConfig{Token: "short"}).validate(); err == nil {
		t.Error("a short token is taken")
	}
}
