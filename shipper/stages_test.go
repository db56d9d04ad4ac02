package shipper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/event"
	"imwatch/shipper/parse/geo"
	"imwatch/shipper/parse/mapping"
	"imwatch/shipper/parse/redact"
	"imwatch/shipper/sample"
)

// What is configured for events is done to every line on its way, and to dead letters where asked.
func TestStagesOnTheWay(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "nginx.log")
	var lines strings.Builder
	const requests = 2000
	for range requests {
		lines.WriteString(`192.0.2.77 - alice [21/Nov/2026:10:00:00 +0000] "GET /ws HTTP/1.1" 101 0 "-" "curl/8.5.0"` + "\n")
	}
	lines.WriteString("GET /ws?token=secret phone 13800138000\n")
	appendTo(t, live, lines.String())
	cfg := config(dir, live)
	cfg.ExitAtEnd, cfg.UserAgents = true, true
	cfg.Sources[0] = Source{Paths: []string{live}, Format: "nginx", Node: "edge-1"}
	cfg.Sampling.HTTPRequests = 0.25
	cfg.Redact.DeadLetters, cfg.Redact.Key = true, "0123456789abcdef"
	cfg.Redact.Rules = []redact.Rule{
		{Fields: mapping.Names{"client.ip"}, Do: redact.Mask}, {Fields: mapping.Names{"user.id"}, Do: redact.Hash}, {Match: `\b1[3-9]\d{9}\b`, Do: redact.Mask},
	}
	reg := prometheus.NewRegistry()
	s, err := New(cfg, Deps{Bus: b, Log: quiet(), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept, weight := 0, 0.0
	for _, m := range all(t, b, "im.lifecycle") {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			t.Fatal(err)
		}
		if e.IsWatermark() {
			continue
		}
		kept++
		weight += e.Weight()
		if e.Text(event.FieldClientIP) != "192.0.2.0" || len(e.Text(event.FieldUserID)) != 32 || e.Text(event.FieldUserAgentName) != "curl" || string(m.Key) != e.Text(event.FieldUserID) {
			t.Fatalf("%s", m.Value)
		}
	}
	if kept < requests/5 || kept > requests/3 || weight != float64(4*kept) {
		t.Errorf("%d of %d lines were kept, with weight %v", kept, requests, weight)
	}
	if ls := letters(t, b); len(ls) != 1 || ls[0].Original != "GET /ws?token=*** phone ***" {
		t.Errorf("%+v", ls)
	}
	for metric, want := range map[string]float64{"im_shipper_redactions_total": float64(2*kept + 1), "im_shipper_read_lines_total": requests + 1} {
		if got := total(t, reg, metric); got != want {
			t.Errorf("%s is %v, want %v", metric, got, want)
		}
	}
}

func total(tb testing.TB, reg *prometheus.Registry, name string) float64 {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestAMissingDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir, filepath.Join(dir, "a.log"))
	cfg.Geo.Files = []string{filepath.Join(dir, "City.mmdb")}
	s, err := New(cfg, Deps{Bus: newBus(t), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "geo.files: looking for the database: stat "+cfg.Geo.Files[0]) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(cfg.Checkpoint); err == nil {
		t.Error("a checkpoint was written")
	}
}

func TestStagesAreValidated(t *testing.T) {
	t.Parallel()
	cfg := config("d", "a.log")
	cfg.Geo = geo.Config{Files: []string{""}, CheckInterval: time.Minute}
	cfg.Redact.Rules = []redact.Rule{{Do: "burn"}}
	cfg.Sampling = sample.Config{}
	err := cfg.Validate()
	for _, want := range []string{"geo.files[0]: ", `redact.rules[0].do: found "burn"`, "redact.rules[0].fields: ", "sampling.heartbeats: ", "sampling.warn_share: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
