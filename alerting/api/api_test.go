package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imwatch/alerting/desk"
	"imwatch/alerting/oidc"
	"imwatch/alerting/oncall"
	"imwatch/event"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is an interface on a real store, and a clock that stands.
type site struct {
	*API
	t      *testing.T
	store  store.Store
	now    time.Time
	from   string         // address of the callers; "": one that never fails twice
	logins map[string]int // by source and result
	seen   int
}

// bearer knows tokens by their words.
type bearer struct{}

func (bearer) Check(_ context.Context, token string) (oidc.Person, error) {
	name, role, _ := strings.Cut(strings.TrimSuffix(token, ".x"), ".")
	switch name {
	case "away":
		return oidc.Person{}, &oidc.RefusedError{Reason: oidc.Unavailable, Words: "the provider has not been found yet"}
	case "old":
		return oidc.Person{}, &oidc.RefusedError{Reason: oidc.Expired, Words: "the token expired"}
	}
	return oidc.Person{Name: name, Role: role, Expires: time.Date(2026, 11, 21, 11, 0, 0, 0, time.UTC)}, nil
}

const linkSecret = "0123456789abcdef0123456789abcdef"

func newSite(t *testing.T) *site {
	t.Helper()
	cfg := sqlite.DefaultConfig()
	cfg.Dir = t.TempDir()
	log := logrus.New()
	log.SetOutput(io.Discard)
	st, err := sqlite.Open(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s := &site{t: t, store: st, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return s.now }
	d, err := desk.New(st, nil, clock, log)
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Addr, c.URL, c.LinkSecret = "127.0.0.1:0", "https://watch.example.org/", linkSecret
	for _, role := range roles {
		c.Tokens = append(c.Tokens, Token{role + "-1", role, role + "-0123456789abcdef"})
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s.logins = map[string]int{}
	roster, _, err := oncall.New(oncall.Config{
		People: []oncall.Person{{Name: "ann"}, {Name: "bob"}},
		Schedules: []oncall.Schedule{
			{Name: "lead", Rotations: []oncall.Rotation{{Name: "weeks", Start: "2026-11-02T09:00", Every: 7 * 24 * time.Hour, People: []string{"ann", "bob"}}}},
			{Name: "days", Rotations: []oncall.Rotation{{Start: "2026-11-02T09:00", Every: 24 * time.Hour, People: []string{"ann"}, Hours: []oncall.Hours{{From: "09:00", Until: "18:00"}}}}},
		},
	}, s.now)
	if err != nil {
		t.Fatal(err)
	}
	roster.Overrides(d.Overrides)
	s.API = New(c, Deps{Desk: d, Look: st, Roster: roster, Now: clock, Log: log, Bearer: bearer{}, Login: func(source, result string) { s.logins[source+" "+result]++ }, Inhibited: func(a *event.Alert) (event.Alert, bool) {
		return event.Alert{ID: "parent"}, a.RuleID == "child"
	}})
	return s
}

// alert puts an alert into the store.
func (s *site) alert(id, rule, state string, after time.Duration) *event.Alert {
	s.t.Helper()
	a := &event.Alert{
		Time: s.now.Add(after), ID: id, State: state, RuleID: rule, RuleName: "Rule " + rule, Status: "enabled", Severity: "high", From: s.now,
		Key: []event.KeyPart{{Field: "client.ip", Value: `192.0.2.1 "x"`}},
	}
	line, err := a.MarshalJSON()
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.store.Put(s.t.Context(), store.Doc{Index: event.AlertIndex(a.From), ID: id, Body: line}); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// do calls the interface as somebody with a role, or with a token of three parts; "": nobody.
func (s *site) do(role, method, path, body string) (int, string) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if r.RemoteAddr = s.from + ":1"; s.from == "" {
		s.seen++
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", s.seen>>16, s.seen>>8&255, s.seen&255)
	}
	switch {
	case strings.Count(role, ".") == 2:
		r.Header.Set("Authorization", "Bearer "+role)
	case role != "":
		r.Header.Set("Authorization", "Bearer "+role+"-0123456789abcdef")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (s *site) want(status int, role, method, path, body, part string) string {
	s.t.Helper()
	got, text := s.do(role, method, path, body)
	if got != status || !strings.Contains(text, part) {
		s.t.Errorf("%s %s %s as %q: %d %s, want %d and %q", method, path, body, role, got, text, status, part)
	}
	return text
}

// TestRoles lets each role do what is its, and no more: every call, for every role, without a token and with one that nobody has.
func TestRoles(t *testing.T) {
	t.Parallel()
	const silenced = `{"match":["rule = x"],"reason":"x","for":"1h"}`
	asked := map[string]struct {
		least, body string
		status      int // of the first who may
	}{
		"GET /api/v1/alerts":                {Viewer, "", 200},
		"GET /api/v1/alerts/{id}":           {Viewer, "", 200},
		"POST /api/v1/alerts/{id}/ack":      {Responder, "", 200},
		"DELETE /api/v1/alerts/{id}/ack":    {Responder, "", 404},
		"GET /api/v1/silences":              {Viewer, "", 200},
		"POST /api/v1/silences":             {Responder, silenced, 201},
		"POST /api/v1/silences/preview":     {Viewer, `{"match":["rule = x"]}`, 200},
		"GET /api/v1/silences/{id}":         {Viewer, "", 404},
		"PUT /api/v1/silences/{id}":         {Responder, silenced, 404},
		"DELETE /api/v1/silences/{id}":      {Responder, "", 404},
		"POST /api/v1/silences/{id}/extend": {Responder, `{"for":"1h"}`, 404},
		"GET /api/v1/audit":                 {Admin, "", 200},

		"GET /api/v1/oncall":                   {Viewer, "", 200},
		"GET /api/v1/oncall/shifts":            {Viewer, "", 200},
		"GET /api/v1/oncall/overrides":         {Viewer, "", 200},
		"POST /api/v1/oncall/overrides":        {Responder, `{"schedule":"lead","person":"bob","for":"1h"}`, 201},
		"DELETE /api/v1/oncall/overrides/{id}": {Responder, "", 404},
	}
	for _, c := range newSite(t).calls() {
		want, known := asked[c.pattern]
		if !known {
			t.Errorf("%s: nobody has said here who may", c.pattern)
			continue
		}
		t.Run(c.pattern, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.alert("a-1", "x", "firing", 0)
			method, path, _ := strings.Cut(strings.ReplaceAll(c.pattern, "{id}", "a-1"), " ")
			s.want(401, "", method, path, want.body, "a bearer token is needed")
			s.want(401, "nobody", method, path, want.body, "a bearer token is needed")
			may := false
			for _, role := range roles {
				if may = may || role == want.least; !may {
					s.want(403, role, method, path, want.body, want.least+" is needed")
				} else if got, text := s.do(role, method, path, want.body); got != want.status {
					t.Errorf("as %s: %d %s, want %d", role, got, text, want.status)
				}
			}
		})
	}
	if got := len(newSite(t).calls()); got != len(asked) {
		t.Errorf("%d calls are asked, there are %d", len(asked), got)
	}
	newSite(t).want(200, "", "GET", "/api/v1/openapi.json", "", `"openapi"`)
}

// TestAlertsArePagedAndChosen.
func TestAlertsArePagedAndChosen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 5 {
		s.alert(fmt.Sprintf("a-%d", i), "x", "firing", time.Duration(i/2)*time.Second) // two at a time
	}
	s.alert("over", "x", "resolved", time.Minute)
	s.alert("kid", "child", "firing", time.Hour)
	ids := func(query string) (list []string, next string) {
		t.Helper()
		var page struct {
			Alerts []struct {
				Alert struct {
					IM struct{ Alert struct{ ID string } } `json:"im"`
				}
				Inhibited string `json:"inhibited_by"`
			}
			Next string
		}
		if err := json.Unmarshal([]byte(s.want(200, Viewer, "GET", "/api/v1/alerts"+query, "", "")), &page); err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Alerts {
			list = append(list, a.Alert.IM.Alert.ID+a.Inhibited)
		}
		return list, page.Next
	}
	var all []string
	for query, more := "?limit=2", true; more; {
		list, next := ids(query)
		all = append(all, list...)
		query, more = "?limit=2&after="+strings.ReplaceAll(next, "+", "%2B"), next != ""
	}
	if diff := cmp.Diff([]string{"a-0", "a-1", "a-2", "a-3", "a-4", "kidparent"}, all); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for query, want := range map[string][]string{
		"?state=resolved": {"over"}, "?match=rule+%3D+child": {"kidparent"}, "?match=rule+%3D+child&match=severity+%3D+warn": nil,
	} {
		if got, _ := ids(query); !cmp.Equal(want, got) {
			t.Errorf("%s gives %v", query, got)
		}
	}
	if list, _ := ids("?state=all"); len(list) != 7 {
		t.Errorf("all are %v", list)
	}
	for query, part := range map[string]string{
		"?state=x": "state: found", "?match=ruel+%3D+x": "match[0]: unknown name", "?limit=0": "limit: found", "?after=x": "after: found", "?sate=all": "sate: unknown, expected one of state",
	} {
		s.want(400, Viewer, "GET", "/api/v1/alerts"+query, "", part)
	}
	s.want(404, Viewer, "GET", "/api/v1/alerts/nobody", "", `there is no alert`)
}

// TestAckAndSilence goes through the life of both.
func TestAckAndSilence(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.alert("a-1", "x", "firing", 0)
	s.alert("over", "x", "resolved", 0)
	s.want(200, Responder, "POST", "/api/v1/alerts/a-1/ack", `{"for":"90m","note":"on it"}`, `"until":"2026-11-21T11:30:00Z"`)
	s.want(200, Viewer, "GET", "/api/v1/alerts/a-1", "", `"by":"responder-1","note":"on it"`)
	s.want(409, Responder, "POST", "/api/v1/alerts/over/ack", "", "the alert is over")
	s.want(404, Responder, "POST", "/api/v1/alerts/nobody/ack", "", "there is no alert")
	for body, part := range map[string]string{
		`{"for":"x"}`: "for: found", `{"for":"1000h"}`: "for: found 1000h", `{"fro":"1h"}`: "unknown field", `{} {}`: "behind the JSON object", `[]`: "no JSON object", `null`: "no JSON object", `{"note":"` + strings.Repeat("x", 1001) + `"}`: "note: found 1001",
	} {
		s.want(400, Responder, "POST", "/api/v1/alerts/a-1/ack", body, part)
	}
	s.want(413, Responder, "POST", "/api/v1/alerts/a-1/ack", `{"note":"`+strings.Repeat("x", maxBody)+`"}`, "too large")
	s.want(200, Responder, "DELETE", "/api/v1/alerts/a-1/ack", "", `"taken_by":"responder-1"`)
	s.want(404, Responder, "DELETE", "/api/v1/alerts/a-1/ack", "", "there is none")

	text := s.want(201, Responder, "POST", "/api/v1/silences", `{"match":["rule = x"],"reason":"upgrade","for":"1h"}`, `"until":"2026-11-21T11:00:00Z"`)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	s.want(200, Viewer, "GET", "/api/v1/alerts/a-1", "", `"reason":"upgrade"`)
	s.want(200, Viewer, "GET", "/api/v1/silences/"+made.ID, "", `"author":"responder-1"`)
	s.want(404, Viewer, "GET", "/api/v1/silences/nobody", "", "there is none")
	for body, part := range map[string]string{
		`{"match":["rule = x"],"reason":"x"}`: "until: needed", `{"match":[],"reason":"x","for":"1h"}`: "match: found 0", `{"match":["severity != x"],"reason":"x","for":"1h"}`: "hold any alert", `{"match":["rule = x"],"reason":"x","until":"2026-11-21T09:00:00Z"}`: "until: 2026-11-21T09:00:00Z is not after from", `{"match":["rule = x"],"reason":"x","for":"1h","until":"2027-01-01T00:00:00Z"}`: "no until beside it",
	} {
		s.want(400, Responder, "POST", "/api/v1/silences", body, part)
	}
	s.want(200, Responder, "DELETE", "/api/v1/silences/"+made.ID, "", `"ended_by":"responder-1"`)
	if text := s.want(200, Viewer, "GET", "/api/v1/silences", "", "silences"); strings.Contains(text, made.ID) {
		t.Errorf("what has ended is active: %s", text)
	}
	s.want(200, Viewer, "GET", "/api/v1/silences?state=all", "", made.ID)
	s.want(200, Admin, "GET", "/api/v1/audit", "", `"action":"ack_take"`)
	s.want(400, Admin, "GET", "/api/v1/audit?from=yesterday", "", "from: found")
}

// TestLinks: a link acts after a click, once opened by the right one, and until it runs out.
func TestLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.alert("a-1", "x", "firing", 0)
	links := s.cfg.Links()
	path := func(action string) string {
		return strings.TrimPrefix(links.Make(action, a, "team", s.now), "https://watch.example.org")
	}
	ack, quiet := path(LinkAck), path(LinkSilence)
	page := s.want(200, "", "GET", ack, "", "<button>Acknowledge</button>")
	if !strings.Contains(page, "192.0.2.1 &#34;x&#34;") || strings.Contains(page, "<script") {
		t.Errorf("the page is %s", page)
	}
	if _, acked := s.desk.Acked(a); acked {
		t.Error("opening a link has acknowledged")
	}
	s.want(200, "", "POST", ack, "", "Acknowledged until 2026-11-21T14:00:00Z")
	if k, acked := s.desk.Acked(a); !acked || k.By != "link to team" {
		t.Errorf("%+v", k)
	}
	s.want(200, "", "POST", quiet, "", "Silenced until 2026-11-21T11:00:00Z")
	if _, held := s.desk.Held(a); !held {
		t.Error("not silenced")
	}
	other := *a
	other.Key = []event.KeyPart{{Field: "client.ip", Value: "192.0.2.2"}}
	if _, held := s.desk.Held(&other); held {
		t.Error("another key is silenced")
	}
	s.want(403, "", "POST", ack[:len(ack)-1], "", "no link of ours")
	s.want(403, "", "GET", strings.Replace(ack, LinkPath, LinkPath+"e", 1), "", "no link of ours")
	s.want(403, "", "GET", LinkPath+"x", "", "no link of ours")
	s.now = s.now.Add(24 * time.Hour)
	s.want(403, "", "POST", ack, "", "has run out")
	if l := (Links{}).Make(LinkAck, a, "team", s.now); l != "" {
		t.Errorf("without a secret there is the link %q", l)
	}
}

// TestNoSecretIsShown: nothing that the interface answers holds a token.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/api/v1/alerts", "/api/v1/silences", "/api/v1/audit", "/api/v1/nothing"} {
		if _, text := s.do(Admin, "GET", path, ""); strings.Contains(text, "0123456789abcdef") {
			t.Errorf("%s shows %s", path, text)
		}
	}
}

// TestDocumentNamesEveryRoute: what is served is described, and nothing else.
func TestDocumentNamesEveryRoute(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(openapi, &doc); err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	parameter := regexp.MustCompile(`\{[a-z]+\}`)
	for path, methods := range doc.Paths {
		for method := range methods {
			if method == "parameters" {
				continue
			}
			r := httptest.NewRequestWithContext(t.Context(), strings.ToUpper(method), parameter.ReplaceAllString(path, "x"), nil)
			if _, pattern := s.mux.Handler(r); pattern != strings.ToUpper(method)+" "+path {
				t.Errorf("%s %s is served by %q", method, path, pattern)
			}
		}
	}
	n := 0
	for _, methods := range doc.Paths {
		n += len(methods)
		if _, ok := methods["parameters"]; ok {
			n--
		}
	}
	if want := len(s.calls()) + 1; n != want {
		t.Errorf("%d operations are described, %d are served", n, want)
	}
}

func TestBadConfigurationIsSaid(t *testing.T) {
	t.Parallel()
	c := Config{Addr: "x", URL: "watch", LinkSecret: "short", Tokens: []Token{{"a", "boss", "short"}, {"a", Viewer, strings.Repeat("x", 16)}}}
	err := c.Validate()
	for _, key := range []string{"addr: ", "url: ", "link_secret: found 5 bytes", "link_ttl: ", "tokens[0].role: ", "tokens[0].token: found 5 bytes", "tokens[1].name: "} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key) {
			t.Errorf("no %q in %v", key, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Error("a secret is in the error")
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	c = DefaultConfig()
	c.Addr = "127.0.0.1:1"
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "tokens: ") {
		t.Error(err)
	}
}

// FuzzLink holds that no text but what was made opens.
func FuzzLink(f *testing.F) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l := Links{URL: "https://x", Secret: linkSecret, TTL: time.Hour}
	made := strings.TrimPrefix(l.Make(LinkAck, &event.Alert{ID: "a"}, "team", now), "https://x"+LinkPath)
	f.Add(made)
	f.Add(made + "=")
	f.Add(".")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := l.open(text, now); err == nil && text != made {
			t.Fatalf("%q opens as %+v", text, v)
		}
	})
}
