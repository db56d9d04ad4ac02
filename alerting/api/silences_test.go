package api

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/silence"
	"imwatch/event"
)

// made gives the id of what an answer is about.
func made(t *testing.T, text string) string {
	t.Helper()
	var v struct{ ID string }
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.ID == "" {
		t.Fatalf("%s: %v", text, err)
	}
	return v.ID
}

// TestWeeklyAndMaintenance: times are read by the clocks of the zone, and lists say what is on and until when.
func TestWeeklyAndMaintenance(t *testing.T) {
	t.Parallel()
	s := newSite(t) // Saturday, 10:00 UTC, 18:00 in Shanghai
	s.alert("a-1", "x", "firing", 0)
	window := made(t, s.want(201, Responder, "POST", "/api/v1/silences",
		`{"match":["rule = x"],"reason":"upgrade","kind":"maintenance","zone":"Asia/Shanghai","from":"2026-11-21 19:00","until":"2026-11-21T21:00:00+08:00"}`,
		`"from":"2026-11-21T11:00:00Z","until":"2026-11-21T13:00:00Z"`))
	weekly := made(t, s.want(201, Responder, "POST", "/api/v1/silences",
		`{"match":["rule = y"],"reason":"nights","until":"2026-12-31T00:00:00Z","weekly":[{"days":["sat"],"from":"17:00","until":"06:00","zone":"Asia/Shanghai"}]}`,
		`"on":true,"since":"2026-11-21T10:00:00Z","to":"2026-11-21T22:00:00Z"`))
	s.want(200, Viewer, "GET", "/api/v1/silences?kind=maintenance", "", `"on":false,"since":"2026-11-21T11:00:00Z","to":"2026-11-21T13:00:00Z"`)
	if text := s.want(200, Viewer, "GET", "/api/v1/silences?kind=silence", "", weekly); strings.Contains(text, window) {
		t.Errorf("a window is among the silences: %s", text)
	}
	s.want(400, Viewer, "GET", "/api/v1/silences?kind=x", "", "kind: found")
	s.now = s.now.Add(90 * time.Minute)
	s.want(200, Viewer, "GET", "/api/v1/alerts/a-1", "", `"kind":"maintenance"`)
	for body, part := range map[string]string{
		`{"match":["rule = x"],"reason":"x","kind":"party","for":"1h"}`:                                         `kind: found \"party\"`,
		`{"match":["rule = x"],"reason":"x","zone":"CST8","until":"2026-11-22 10:00"}`:                          `until: zone: found \"CST8\"`,
		`{"match":["rule = x"],"reason":"x","until":"soon"}`:                                                    `until: found \"soon\"`,
		`{"match":["rule = x"],"reason":"x","from":"9999-12-31T23:59:59-10:00","until":"9999-12-31T23:59:59Z"}`: "from: found the year 10000",
		`{"match":["rule = x"],"reason":"x","weekly":[{"from":"22:00","until":"06:00","zone":"Mars/Olympus"}]}`: `weekly[0].zone: found \"Mars/Olympus\"`,
		`{"reason":"x","for":"1h"}`: "or all: true where everything is meant",
	} {
		s.want(400, Responder, "POST", "/api/v1/silences", body, part)
	}
	s.want(201, Responder, "POST", "/api/v1/silences", `{"reason":"x","for":"1h","all":true}`, `"all":true`)
}

// TestEditing: what is changed stands in the audit, what has begun keeps its beginning, and what is over is left alone.
func TestEditing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := made(t, s.want(201, Responder, "POST", "/api/v1/silences", `{"match":["rule = x"],"reason":"upgrade","for":"1h"}`, ""))
	path := "/api/v1/silences/" + id
	s.now = s.now.Add(30 * time.Minute)
	s.want(200, Admin, "POST", path+"/extend", `{"for":"1h"}`, `"until":"2026-11-21T12:00:00Z"`)
	s.want(200, Responder, "POST", path+"/extend", `{"for":"-30m"}`, `"until":"2026-11-21T11:30:00Z"`)
	s.want(200, Responder, "POST", path+"/extend", `{"until":"2026-11-21T21:00:00+08:00"}`, `"until":"2026-11-21T13:00:00Z"`)
	s.want(200, Responder, "PUT", path, `{"match":["rule = y"],"reason":"longer","for":"1h"}`, `"from":"2026-11-21T10:00:00Z","until":"2026-11-21T11:30:00Z"`)
	for body, part := range map[string]string{
		`{}`: "for or until", `{"for":"1h","until":"2026-11-22T10:00:00Z"}`: "for or until", `{"for":"x"}`: "for: found", `{"for":"0s"}`: "for: found", `{"until":"x"}`: "until: found", `{"for":"-10h"}`: "is over already; end the silence instead",
	} {
		s.want(400, Responder, "POST", path+"/extend", body, part)
	}
	s.want(400, Responder, "PUT", path, `{"match":["rule = y"],"reason":"x","for":"1h","from":"2026-11-21T11:00:00Z"}`, "from: it began at 2026-11-21T10:00:00Z")
	s.want(400, Responder, "PUT", path, `{"match":["rule = y"],"for":"1h"}`, "reason: found 0")
	audit := s.want(200, Admin, "GET", "/api/v1/audit", "", "silence_edit")
	for _, part := range []string{
		`"by":"admin-1","role":"admin"`, "until: 2026-11-21T11:00:00Z → 2026-11-21T12:00:00Z", "until: 2026-11-21T12:00:00Z → 2026-11-21T11:30:00Z",
		"match: rule = x → rule = y; reason: upgrade → longer; until: 2026-11-21T13:00:00Z → 2026-11-21T11:30:00Z",
	} {
		if !strings.Contains(audit, part) {
			t.Errorf("no %q in %s", part, audit)
		}
	}
	if n := strings.Count(audit, `"silence_edit"`); n != 4 {
		t.Errorf("%d changes in the audit, 4 were made: %s", n, audit)
	}
	s.want(200, Viewer, "GET", path, "", `"author":"responder-1"`)
	s.want(200, Responder, "DELETE", path, "", `"ended_by"`)
	s.want(409, Responder, "POST", path+"/extend", `{"for":"1h"}`, "it is over")
	s.want(409, Responder, "PUT", path, `{"match":["rule = y"],"reason":"x","for":"1h"}`, "it is over")
	s.want(404, Responder, "POST", "/api/v1/silences/nobody/extend", `{"for":"1h"}`, "there is none")
	endless := made(t, s.want(201, Responder, "POST", "/api/v1/silences", `{"match":["rule = y"],"reason":"nights","weekly":[{"from":"22:00","until":"06:00"}]}`, ""))
	s.want(400, Responder, "POST", "/api/v1/silences/"+endless+"/extend", `{"for":"1h"}`, "has no end")
	s.want(200, Responder, "POST", "/api/v1/silences/"+endless+"/extend", `{"until":"2026-12-31T00:00:00Z"}`, `"until":"2026-12-31T00:00:00Z"`)
}

// TestPreview counts what fires, and says where conditions hold everything.
func TestPreview(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 25 {
		s.alert(fmt.Sprintf("a-%02d", i), "x", "firing", 0)
	}
	s.alert("other", "y", "firing", 0)
	s.alert("over", "x", "resolved", 0)
	s.alert("warned", silence.EndsRule, "firing", 0)
	s.want(200, Viewer, "POST", "/api/v1/silences/preview", `{"match":["rule = x"]}`, `"firing":25,"by_severity":{"high":25},"everything":false`)
	text := s.want(200, Viewer, "POST", "/api/v1/silences/preview", `{"match":["rule =~ \".*\""]}`, `"firing":26,"by_severity":{"high":26},"everything":true`)
	if n := strings.Count(text, `"rule":`); n != maxPreseen || !strings.Contains(text, `"more":6`) {
		t.Errorf("%d are named: %s", n, text)
	}
	s.want(200, Viewer, "POST", "/api/v1/silences/preview", `{}`, `"everything":true`)
	s.want(400, Viewer, "POST", "/api/v1/silences/preview", `{"match":["ruel = x"]}`, "match[0]: unknown name")
}

// TestLinkExtends by an hour, once, however often it is clicked.
func TestLinkExtends(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := made(t, s.want(201, Responder, "POST", "/api/v1/silences", `{"match":["rule = x"],"reason":"upgrade","for":"1h"}`, ""))
	silences := s.desk.Silences()
	a := s.alert(silences[0].EndsID(), silence.EndsRule, "firing", 0)
	a.Labels = map[string]string{silence.IDLabel: id}
	path := strings.TrimPrefix(s.cfg.Links().Make(LinkExtend, a, "team", s.now), "https://watch.example.org")
	s.want(200, "", "GET", path, "", "<button>Extend</button>")
	for range 3 {
		s.want(200, "", "POST", path, "", "ends at 2026-11-21T12:00:00Z")
	}
	audit := s.want(200, Admin, "GET", "/api/v1/audit", "", `"by":"link to team"`)
	if n := strings.Count(audit, "silence_edit"); n != 1 {
		t.Errorf("extended %d times", n)
	}
}

// TestOIDC: people of the provider have the name and the role of their token.
func TestOIDC(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.want(201, "li.responder.x", "POST", "/api/v1/silences", `{"match":["rule = x"],"reason":"x","for":"1h"}`, `"author":"li"`)
	s.want(403, "li.responder.x", "GET", "/api/v1/audit", "", "admin is needed")
	s.want(403, "li..x", "GET", "/api/v1/alerts", "", "none of your groups has a role here")
	s.want(401, "old.admin.x", "GET", "/api/v1/alerts", "", "the token expired")
	s.want(503, "away.admin.x", "GET", "/api/v1/alerts", "", "has not been found yet")
	s.want(200, Viewer, "GET", "/api/v1/alerts", "", "alerts") // the interface's own tokens count meanwhile
	for result, want := range map[string]int{"oidc ok": 1, "oidc role": 2, "oidc expired": 1, "oidc unavailable": 1, "token ok": 1} {
		if s.logins[result] != want {
			t.Errorf("%s: %d, want %d of %v", result, s.logins[result], want, s.logins)
		}
	}
}

// TestGuessersHaveToWait, without shutting out who was let in from the same address before; others are not concerned.
func TestGuessersHaveToWait(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.from = "192.0.2.9"
	s.want(200, Viewer, "GET", "/api/v1/alerts", "", "")
	for i := range wrongAtOnce {
		s.want(401, fmt.Sprintf("guess-%d", i), "GET", "/api/v1/alerts", "", "nobody has this one")
	}
	s.want(429, "guess", "GET", "/api/v1/alerts", "", "too many")
	s.want(429, Admin, "GET", "/api/v1/alerts", "", "too many") // right, but never seen from there: a guess learns nothing
	s.want(200, Viewer, "GET", "/api/v1/alerts", "", "")
	s.from = "192.0.2.10"
	s.want(200, Admin, "GET", "/api/v1/alerts", "", "")
	s.from = "192.0.2.9"
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/alerts", nil)
	r.RemoteAddr, r.Header["Authorization"] = s.from+":1", []string{"Bearer guess"}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Header().Get("Retry-After") != "6" {
		t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
	}
	s.now = s.now.Add(wrongEvery)
	s.want(200, Admin, "GET", "/api/v1/alerts", "", "")
	s.now = s.now.Add(time.Hour)
	for i := range wrongAtOnce {
		s.want(401, fmt.Sprintf("guess-%d", i), "GET", "/api/v1/alerts", "", "")
	}
	s.from = "[2001:db8::1]"
	for i := range wrongAtOnce {
		s.want(401, fmt.Sprintf("guess-%d", i), "GET", "/api/v1/alerts", "", "")
	}
	s.from = "[2001:db8::2]" // as many as he wants are his
	s.want(429, "guess", "GET", "/api/v1/alerts", "", "")
	s.from = "[2001:db8:0:1::2]"
	s.want(401, "guess", "GET", "/api/v1/alerts", "", "")
}

// TestBoundIsBounded: a flood of addresses takes bounded memory, and those that were not remembered share one bound.
func TestBoundIsBounded(t *testing.T) {
	t.Parallel()
	b, now := newBound(), time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for i := range maxBound + 100 {
		b.failed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
		b.passed("10.0.0.1", [32]byte{byte(i), byte(i >> 8)}, time.Time{}, now)
	}
	if len(b.debts) > maxBound+1 || len(b.good) > maxBound {
		t.Errorf("%d addresses and %d tokens are remembered", len(b.debts), len(b.good))
	}
	if b.waits("192.0.2.1", [32]byte{}, now) == 0 {
		t.Error("a new address does not share the bound of those that are not remembered")
	}
	if b.waits("10.0.0.1", [32]byte{99, 99}, now) != 0 {
		t.Error("an address that failed once has to wait")
	}
	b.failed("192.0.2.1", now.Add(time.Hour))
	if len(b.debts) != 1 {
		t.Errorf("%d addresses are remembered after an hour", len(b.debts))
	}
}

// TestBodiesAreBounded for every call, whether it reads one or not.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.alert("a-1", "x", event.StateFiring, 0)
	large := `{"reason":"` + strings.Repeat("x", maxBody) + `"}`
	for _, c := range s.calls() {
		method, path, _ := strings.Cut(strings.ReplaceAll(c.pattern, "{id}", "a-1"), " ")
		got, text := s.do(Admin, method, path, large)
		if (method == "POST" || method == "PUT") && got != 413 {
			t.Errorf("%s: %d %s", c.pattern, got, text)
		}
	}
}
