package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/api"
	"imwatch/alerting/desk"
	"imwatch/event"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"

	"github.com/sirupsen/logrus"
)

// people is the alerting's interface with a clock that stands, and a terminal that speaks to it.
func people(t *testing.T) (o *AlertsAPI, out *bytes.Buffer) {
	t.Helper()
	now := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC) // a Saturday
	cfg := sqlite.DefaultConfig()
	cfg.Dir = t.TempDir()
	log := logrus.New()
	log.SetOutput(io.Discard)
	st, err := sqlite.Open(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	for id, severity := range map[string]string{"a": "high", "b": "high", "c": "warn"} {
		a := event.Alert{Time: now, From: now, ID: id, State: event.StateFiring, RuleID: "x", Status: "enabled", Severity: severity}
		line, err := a.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Put(t.Context(), store.Doc{Index: event.AlertIndex(now), ID: id, Body: line}); err != nil {
			t.Fatal(err)
		}
	}
	clock := func() time.Time { return now }
	d, err := desk.New(st, nil, clock, log)
	if err != nil {
		t.Fatal(err)
	}
	c := api.DefaultConfig()
	c.Tokens = []api.Token{{Name: "ann", Role: api.Admin, Token: "0123456789abcdef"}}
	server := httptest.NewServer(api.New(c, api.Deps{Desk: d, Look: st, Now: clock, Log: log}))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	out = new(bytes.Buffer)
	return &AlertsAPI{Server: server.URL, TokenCommand: "echo 0123456789abcdef", Out: out}, out
}

// TestSilencesFromATerminal: what is asked for, what is said before and after, and the list.
func TestSilencesFromATerminal(t *testing.T) {
	t.Parallel()
	o, out := people(t)
	said := func(parts ...string) string {
		t.Helper()
		text := out.String()
		out.Reset()
		for _, p := range parts {
			if !strings.Contains(text, p) {
				t.Errorf("no %q in\n%s", p, text)
			}
		}
		return text
	}
	n := NewSilence{Match: []string{"rule = x"}, Reason: "nights", Until: "2026-12-31 06:00", Zone: "Asia/Shanghai"}
	if err := n.AddWeekly("mon-fri 22:00-06:00 Asia/Shanghai"); err != nil {
		t.Fatal(err)
	}
	if err := o.Silence(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	said("holds 3 that fire now: 1 warn, 2 high\n", " mon,tue,wed,thu,fri 22:00-06:00 Asia/Shanghai, until 2026-12-31T06:00:00+08:00 Asia/Shanghai\n")
	window := NewSilence{Match: []string{"rule = y"}, Reason: "kernel", From: "2026-11-28T17:00:00+08:00", Until: "2026-11-28T12:00:00Z", Maintenance: true}
	if err := o.Silence(t.Context(), window); err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(strings.Split(said("holds nothing that fires now\n", " until 2026-11-28T12:00:00Z\n"), "\n")[1], " ")
	if err := o.Extend(t.Context(), id, 30*time.Minute, "", ""); err != nil {
		t.Fatal(err)
	}
	said(id + " until 2026-11-28T12:30:00Z")
	if err := o.Extend(t.Context(), id, 0, "2026-11-28 21:00", "Asia/Shanghai"); err != nil {
		t.Fatal(err)
	}
	said(id + " until 2026-11-28T13:00:00Z")
	if err := o.Silences(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	text := said("mon,tue,wed,thu,fri 22:00-06:00 Asia/Shanghai", "from 2026-11-30T22:00:00+08:00 Asia/Shanghai", "on until 2026-11-28T13:00:00Z")
	if !strings.Contains(text, id+"  maintenance") || strings.Count(text, "\n") != 3 {
		t.Errorf("the list is\n%s", text)
	}
	if err := o.EndSilence(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	said("ended 2026-11-28T10:00:00Z")
}

// TestSilenceOfEverythingIsMeant, or is not made; a preview makes none.
func TestSilenceOfEverythingIsMeant(t *testing.T) {
	t.Parallel()
	o, out := people(t)
	for _, n := range []NewSilence{{Reason: "x"}, {Match: []string{`rule =~ ".*"`}, Reason: "x"}} {
		if err := o.Silence(t.Context(), n); err == nil || !strings.Contains(err.Error(), "--yes if") {
			t.Errorf("%v: %v", n.Match, err)
		}
	}
	if err := o.Silence(t.Context(), NewSilence{Preview: true}); err != nil {
		t.Fatal(err)
	}
	o.JSON = true
	out.Reset()
	if err := o.Silences(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	var list struct{ Silences []any }
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list.Silences) != 0 {
		t.Errorf("%s, %v", out, err)
	}
	o.JSON = false
	out.Reset()
	if err := o.Silence(t.Context(), NewSilence{Reason: "x", Yes: true}); err != nil || !strings.Contains(out.String(), "until 2026-11-28T11:00:00Z") {
		t.Errorf("%v: %s", err, out)
	}
	for want, n := range map[string]NewSilence{
		`--from: found "soon"`: {Match: []string{"rule = x"}, Reason: "x", From: "soon"}, "--until: zone: found": {Match: []string{"rule = x"}, Reason: "x", Until: "2026-11-29 10:00", Zone: "CST8"},
		"for: found": {Match: []string{"rule = x"}, Reason: "x", Until: "2026-11-29T10:00:00Z", For: time.Hour},
	} {
		if err := o.Silence(t.Context(), n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := o.Extend(t.Context(), "x", 0, "", ""); err == nil || !strings.Contains(err.Error(), "one of them") {
		t.Error(err)
	}
}

// TestTokenCommand: its output is the token; what it is not is said.
func TestTokenCommand(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{"exit 3": "exit status 3", "true": "found 0 words", "echo a b": "found 2 words"} {
		o := AlertsAPI{Server: "http://127.0.0.1:1", TokenCommand: command, Out: io.Discard}
		if err := o.Silences(t.Context(), false); err == nil || !strings.Contains(err.Error(), "--token-command: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", command, err)
		}
	}
	o := AlertsAPI{TokenCommand: "echo x", TokenFile: "x", Out: io.Discard}
	if err := o.Silences(t.Context(), false); err == nil || !strings.Contains(err.Error(), "one of them") {
		t.Error(err)
	}
}
