package ops

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"imwatch/im-server/hot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "0123456789abcdef"

var at = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// fakeNode is a node with a list of connections.
type fakeNode struct {
	conns  []Conn
	kicked []string
	set    string
	refuse error
}

func (n *fakeNode) Name() (node, boot string) { return "im-1", "b00t" }
func (n *fakeNode) Count() int                { return len(n.conns) }

func (n *fakeNode) Conns(user, _ string) iter.Seq[Conn] {
	return func(yield func(Conn) bool) {
		for _, c := range n.conns {
			if (user == "" || c.User == user) && !yield(c) {
				return
			}
		}
	}
}

func (n *fakeNode) Conn(id string) (Conn, bool) {
	i := slices.IndexFunc(n.conns, func(c Conn) bool { return c.ID == id })
	if i < 0 {
		return Conn{}, false
	}
	return n.conns[i], true
}

func (n *fakeNode) Kick(id, actor string) bool {
	_, ok := n.Conn(id)
	n.kicked = append(n.kicked, id+" by "+actor)
	return ok
}

func (n *fakeNode) KickUser(_ context.Context, user, actor string) int {
	n.kicked = append(n.kicked, user+" by "+actor)
	return 2
}

func (n *fakeNode) Config() []hot.Value {
	return []hot.Value{{Key: "limits.rooms", Value: "5", Hot: true}}
}

func (n *fakeNode) Configure(object []byte, actor string) ([]hot.Change, error) {
	n.set = string(object) + " by " + actor
	return []hot.Change{{Key: "limits.rooms", From: "5", To: "6", Hot: true}}, n.refuse
}

func someConns(n int) (list []Conn) {
	for i := range n {
		list = append(list, Conn{
			ID: fmt.Sprintf("c-%d", i), User: fmt.Sprintf("u-%d", i%3), IP: fmt.Sprintf("10.0.%d.1", i%2), State: StateOpen, Node: "im-1",
			Opened: at.Add(time.Duration(i/2) * time.Second), AgeMS: int64(i) * 1000, IdleMS: int64(i) * 100, Bytes: i * 10,
		})
	}
	return list
}

func newAPI(node *fakeNode) *API {
	log, _ := test.NewNullLogger()
	return New(Deps{Node: node, Token: func() string { return token }, Log: log, Closed: 10})
}

func call(a *API, method, target, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.7:999"
	if header == nil {
		header = http.Header{"Authorization": {"Bearer " + token}}
	}
	r.Header = header
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestTokenIsNeeded(t *testing.T) {
	t.Parallel()
	node := &fakeNode{conns: someConns(1)}
	a := newAPI(node)
	for _, tt := range []struct {
		name, authorization string
		status              int
		says                string
	}{
		{"none", "", 401, "Authorization: Bearer TOKEN"},
		{"wrong", "Bearer 0123456789abcdeX", 401, "not the ops_token"},
		{"prefix", "Bearer 0123456789", 401, "not the ops_token"},
		{"empty", "Bearer ", 401, "not the ops_token"},
		{"other scheme", "Basic " + token, 401, "Authorization: Bearer TOKEN"},
		{"right", "bearer " + token, 200, "kicked"},
	} {
		w := call(a, "POST", "/-/conns/c-0/kick", "", http.Header{"Authorization": {tt.authorization}})
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
		if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate is %q", tt.name, w.Header().Get("WWW-Authenticate"))
		}
	}
	if len(node.kicked) != 1 {
		t.Errorf("%v were kicked", node.kicked)
	}
	a.deps.Token = func() string { return "" }
	if w := call(a, "GET", "/-/conns", "", http.Header{"Authorization": {"Bearer "}}); w.Code != 403 || !strings.Contains(w.Body.String(), "ops_token is not configured") {
		t.Errorf("without a token configured: %d %s", w.Code, w.Body)
	}
}

func list(t interface{ Fatalf(string, ...any) }, a *API, query string) Page {
	w := call(a, "GET", "/-/conns?"+query, "", nil)
	var p Page
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 200 {
		t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	return p
}

func ids(conns []Conn) (list []string) {
	for _, c := range conns {
		list = append(list, c.ID)
	}
	return list
}

func TestFilters(t *testing.T) {
	t.Parallel()
	node := &fakeNode{conns: someConns(6)}
	node.conns[5].State, node.conns[5].End = StateClosing, &End{Reason: "kicked"}
	a := newAPI(node)
	for query, want := range map[string][]string{
		"":                          {"c-0", "c-1", "c-2", "c-3", "c-4", "c-5"},
		"state=open":                {"c-0", "c-1", "c-2", "c-3", "c-4"},
		"state=closing":             {"c-5"},
		"user=u-1":                  {"c-1", "c-4"},
		"ip=10.0.1.1":               {"c-1", "c-3", "c-5"},
		"ip=10.0.0.0/23":            {"c-0", "c-1", "c-2", "c-3", "c-4", "c-5"},
		"node=im-2":                 nil,
		"min_age=3s&max_age=4s":     {"c-3", "c-4"},
		"min_idle=450ms":            {"c-5"},
		"min_queue=40":              {"c-4", "c-5"},
		"user=u-0&min_age=1s":       {"c-3"},
		"device=d-9&platform=maemo": nil,
	} {
		p := list(t, a, query)
		if diff := cmp.Diff(want, ids(p.Conns)); diff != "" || p.Matched != len(want) || p.Node != "im-1" || p.Boot != "b00t" {
			t.Errorf("%s: -want +got\n%s", query, diff)
		}
	}
}

func TestFilterFaults(t *testing.T) {
	t.Parallel()
	a := newAPI(&fakeNode{})
	for query, want := range map[string]string{
		"usr=u-1":                        "usr: no such filter; did you mean user?",
		"ip=10.0.0":                      "ip: found \\\"10.0.0\\\", expected an address or a network",
		"state=dead":                     "state: found \\\"dead\\\", expected open, closing or closed",
		"min_age=5":                      "min_age: found \\\"5\\\", expected a duration",
		"max_age=-5s":                    "max_age",
		"limit=0":                        "limit: found \\\"0\\\", expected a whole number from 1 to 1000",
		"limit=5&limit=6":                "limit: it stands 2 times",
		"after=x":                        "after: found",
		"reason=kicked":                  "reason: only connections of state=closed",
		"state=closed&reason=bored":      "is no close reason",
		"state=closed&room=r-1":          "room: a connection that is over is in no room",
		"min_queue=much&min_idle=always": "min_idle",
	} {
		w := call(a, "GET", "/-/conns?"+query, "", nil)
		if w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
}

// TestPages: whatever the size of a page, and although connections go meanwhile, the pages have every connection that stays
// once, in order.
func TestPages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n, limit := rapid.IntRange(0, 60).Draw(rt, "n"), rapid.IntRange(1, 20).Draw(rt, "limit")
		node := &fakeNode{conns: rapid.Permutation(someConns(n)).Draw(rt, "conns")}
		a := newAPI(node)
		gone := map[string]bool{}
		var got []string
		after := ""
		for {
			p := list(rt, a, fmt.Sprintf("limit=%d&after=%s", limit, url.QueryEscape(after)))
			if len(p.Conns) > limit {
				rt.Fatalf("a page of %d has %d", limit, len(p.Conns))
			}
			got = append(got, ids(p.Conns)...)
			if after = p.Next; after == "" {
				break
			}
			if len(node.conns) > 0 && rapid.Bool().Draw(rt, "one goes") {
				i := rapid.IntRange(0, len(node.conns)-1).Draw(rt, "which")
				gone[node.conns[i].ID] = true
				node.conns = slices.Delete(node.conns, i, i+1)
			}
		}
		stay := slices.DeleteFunc(got, func(id string) bool { return gone[id] })
		var want []string
		for _, c := range slices.SortedFunc(slices.Values(node.conns), func(a, b Conn) int { return cursorOf(&a).compare(cursorOf(&b)) }) {
			want = append(want, c.ID)
		}
		if !slices.Equal(want, stay) {
			rt.Fatalf("want %v, got %v", want, stay)
		}
	})
}

// TestClosedAreKept: the last ends are kept, the last one first, and found by id and reason.
func TestClosedAreKept(t *testing.T) {
	t.Parallel()
	a := newAPI(&fakeNode{})
	for i, c := range someConns(25) {
		c.State, c.End = StateClosed, &End{At: at.Add(time.Duration(i) * time.Second), Reason: []string{"normal", "idle"}[i%2]}
		a.Ended(c)
	}
	p := list(t, a, "state=closed&limit=3")
	if !slices.Equal(ids(p.Conns), []string{"c-24", "c-23", "c-22"}) || p.Matched != 10 {
		t.Errorf("%d, %v", p.Matched, ids(p.Conns))
	}
	p = list(t, a, "state=closed&reason=idle&limit=4&after="+p.Next)
	if !slices.Equal(ids(p.Conns), []string{"c-21", "c-19", "c-17", "c-15"}) || p.Next != "" {
		t.Errorf("the next page has %v, then %q", ids(p.Conns), p.Next)
	}
	if w := call(a, "GET", "/-/conns/c-20", "", nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"reason": "normal"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(a, "GET", "/-/conns/c-3", "", nil); w.Code != 404 {
		t.Errorf("an end that was forgotten: %d", w.Code)
	}
}

func TestKickNamesTheActor(t *testing.T) {
	t.Parallel()
	node := &fakeNode{conns: someConns(1)}
	a := newAPI(node)
	header := http.Header{"Authorization": {"Bearer " + token}, HeaderActor: {"alice\n"}}
	if w := call(a, "POST", "/-/conns/c-0/kick", "", header); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(a, "POST", "/-/users/u-7/kick", "", nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"kicked": 2`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(a, "POST", "/-/conns/c-9/kick", "", nil); w.Code != 404 || !strings.Contains(w.Body.String(), "no open connection") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	want := []string{"c-0 by alice by the operations API from 192.0.2.7", "u-7 by operations API from 192.0.2.7", "c-9 by operations API from 192.0.2.7"}
	if diff := cmp.Diff(want, node.kicked); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if w := call(a, "DELETE", "/-/conns/c-0", "", nil); w.Code != http.StatusMethodNotAllowed && w.Code != 404 {
		t.Errorf("DELETE: %d", w.Code)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	node := &fakeNode{}
	a := newAPI(node)
	if w := call(a, "PATCH", "/-/config", `{"limits.rooms": 6}`, nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"to": "6"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if node.set != `{"limits.rooms": 6} by operations API from 192.0.2.7` {
		t.Errorf("set %s", node.set)
	}
	node.refuse = errors.New("limits.rooms: 0 must be at least 1")
	if w := call(a, "PATCH", "/-/config", `{}`, nil); w.Code != 400 || !strings.Contains(w.Body.String(), "must be at least 1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(a, "PATCH", "/-/config", strings.Repeat("x", 70_000), nil); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(a, "GET", "/-/config", "", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "limits.rooms") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestStream follows a connection over HTTP until it ends, and a user until the caller goes.
func TestStream(t *testing.T) {
	t.Parallel()
	a := newAPI(&fakeNode{conns: someConns(2)})
	srv := httptest.NewServer(a)
	defer srv.Close()
	get := func(ctx context.Context, path string) *bufio.Scanner {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("%s: %v", path, res)
		}
		return bufio.NewScanner(res.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one, user := get(ctx, "/-/conns/c-0/trace?for=10m"), get(ctx, "/-/users/u-1/trace?for=10m")
	if !a.Traces.On() {
		t.Fatal("nobody follows")
	}
	a.Traces.Frame(Frame{Conn: "c-1", User: "u-1", Dir: DirIn, Type: "ping", Bytes: 7})
	a.Traces.Frame(Frame{Conn: "c-0", User: "u-0", Dir: DirOut, Type: "message", Bytes: 99, Queue: 100})
	a.Traces.Frame(Frame{Conn: "c-0", User: "u-0", Dir: DirEnd, Type: "normal"})
	var lines []string
	for one.Scan() {
		lines = append(lines, one.Text())
	}
	if len(lines) != 3 || !strings.Contains(lines[0], `"type":"message","bytes":99,"queue_bytes":100`) || lines[2] != `{"end":"the connection ended","dropped":0}` {
		t.Errorf("the stream of the connection is %q", lines)
	}
	if !user.Scan() || !strings.Contains(user.Text(), `"type":"ping"`) {
		t.Errorf("the stream of the user begins with %q", user.Text())
	}
	a.Traces.Close()
	if !user.Scan() || user.Text() != `{"end":"the server stops","dropped":0}` {
		t.Errorf("the stream of the user ends with %q", user.Text())
	}
	if w := call(a, "GET", "/-/users/u-1/trace", "", nil); w.Code != 503 {
		t.Errorf("a trace after the end: %d", w.Code)
	}
}

func TestTraceFaults(t *testing.T) {
	t.Parallel()
	a := newAPI(&fakeNode{})
	for target, status := range map[string]int{"/-/conns/c-9/trace": 404, "/-/users/u/trace?for=1h": 400, "/-/users/u/trace?for=soon": 400, "/-/nothing": 404} {
		if w := call(a, "POST", target, "", nil); w.Code != status {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if a.Traces.On() {
		t.Error("somebody follows")
	}
}

// TestTraceToTheLog ends by itself, and nobody waits for the log: what it is too slow for is counted.
func TestTraceToTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, said := test.NewNullLogger()
		slow := make(chan struct{})
		log.SetOutput(writer(func(p []byte) (int, error) {
			if strings.Contains(string(p), "msg=frame") {
				<-slow
			}
			return len(p), nil
		}))
		a := New(Deps{Node: &fakeNode{conns: someConns(1)}, Token: func() string { return token }, Log: log})
		if w := call(a, "POST", "/-/conns/c-0/trace?for=5s", "", nil); w.Code != http.StatusAccepted {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for range followed + 100 {
			a.Traces.Frame(Frame{Conn: "c-0", Dir: DirIn, Type: "publish", Bytes: 3})
		}
		close(slow)
		<-time.After(6 * time.Second)
		a.Wait()
		last := said.LastEntry()
		frames := 0
		for _, e := range said.AllEntries() {
			if e.Message == "frame" {
				frames++
			}
		}
		if dropped := last.Data["dropped"]; last.Message != "frames are no longer followed: the time is over" || fmt.Sprint(dropped) != fmt.Sprint(followed+100-frames) || frames < followed {
			t.Errorf("%d frames in the log, then %q with %v", frames, last.Message, last.Data)
		}
		if a.Traces.On() {
			t.Error("somebody still follows")
		}
	})
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

var _ io.Writer = writer(nil)

// FuzzParseFilter holds that no query is taken that does not say what it says.
func FuzzParseFilter(f *testing.F) {
	f.Add("user=u-1&ip=10.0.0.0/8&min_age=5s&limit=10&after=5.c")
	f.Add("state=closed&reason=kicked&min_queue=5&max_age=1h")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		got, err := ParseFilter(q)
		if err == nil && (got.Limit < 1 || got.Limit > maxLimit || got.MinAge < 0 || got.MaxAge < 0 || got.MinIdle < 0 || got.MinQueue < 0 || len(q) > len(filterKeys)) {
			t.Fatalf("%q gives %+v", query, got)
		}
	})
}

// BenchmarkList is a page of 100 of 50,000 connections with a filter that a tenth passes.
func BenchmarkList(b *testing.B) {
	node := &fakeNode{conns: someConns(50_000)}
	f := Filter{Limit: 100, MinAge: 45_000 * time.Second}
	b.ReportAllocs()
	for b.Loop() {
		if p := pick(node.Conns("", ""), &f); p.Matched != 5000 {
			b.Fatal(p.Matched)
		}
	}
}
