package imserver

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/ops"
)

const opsToken = "0123456789abcdef-ops"

// operate calls the operations API and gives status and body.
func (f *fixture) operate(method, path, body string) (int, string) {
	f.t.Helper()
	res := f.operation(method, path, body)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (f *fixture) operation(method, path, body string) *http.Response {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, "http://"+f.OpsAddr()+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+opsToken)
	r.Header.Set(ops.HeaderActor, "alice")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return res
}

func (f *fixture) conns(query string) ops.Page {
	f.t.Helper()
	status, body := f.operate("GET", "/-/conns?"+query, "")
	var p ops.Page
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK {
		f.t.Fatalf("%s: %d %s", query, status, body)
	}
	return p
}

func opsServer(t *testing.T) *fixture {
	t.Helper()
	cfg := testConfig(t)
	cfg.OpsToken = opsToken
	return serve(t, cfg, Deps{})
}

// TestConnsOnRealSockets lists, looks at, kicks and then finds the end of connections.
func TestConnsOnRealSockets(t *testing.T) {
	t.Parallel()
	f := opsServer(t)
	one := f.dialWith("u-1", nil, "?device_id=phone&platform=ios")
	two := f.dial("u-2")
	two.send(`{"v":1,"type":"subscribe","id":"1","payload":{"room":"r-1"}}`)
	two.next()

	if p := f.conns(""); p.Open != 2 || p.Matched != 2 || p.Node != "im-test" {
		t.Errorf("%+v", p)
	}
	p := f.conns("user=u-1&ip=127.0.0.0/8&platform=ios&device=phone")
	if len(p.Conns) != 1 || p.Conns[0].ID != one.hello.ConnectionID || p.Conns[0].State != ops.StateOpen || p.Conns[0].Session == "" {
		t.Fatalf("%+v", p)
	}
	if p := f.conns("room=r-1"); len(p.Conns) != 1 || p.Conns[0].User != "u-2" {
		t.Errorf("in the room are %+v", p.Conns)
	}
	if p := f.conns("room=r-1&user=u-1"); len(p.Conns) != 0 {
		t.Errorf("in the room are %+v", p.Conns)
	}
	status, body := f.operate("GET", "/-/conns/"+two.hello.ConnectionID, "")
	var c ops.Conn
	if err := json.Unmarshal([]byte(body), &c); err != nil || status != 200 || !slices.Equal(c.Rooms, []string{"r-1"}) || c.MessagesIn != 1 {
		t.Errorf("%d %s", status, body)
	}

	if status, body := f.operate("POST", "/-/conns/"+one.hello.ConnectionID+"/kick", ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if ce := one.closed(); ce.Code != event.CloseKicked.Code {
		t.Errorf("closed with %v", ce)
	}
	ev := f.log.action(t, event.ActionSessionKicked)
	if by := label(ev, "actor"); by != "alice by the operations API from 127.0.0.1" || ev.Text(event.FieldConnID) != one.hello.ConnectionID {
		t.Errorf("%s", ev.AppendJSON(nil))
	}
	f.end(one)
	p = f.conns("state=closed&reason=kicked")
	if len(p.Conns) != 1 || p.Conns[0].ID != one.hello.ConnectionID || p.Conns[0].End.Code != event.CloseKicked.Code || p.Conns[0].End.Initiator != "server" {
		t.Errorf("the end is %+v", p.Conns)
	}
	if status, _ := f.operate("POST", "/-/conns/"+one.hello.ConnectionID+"/kick", ""); status != http.StatusNotFound {
		t.Errorf("kicked twice: %d", status)
	}
	if status, body := f.operate("POST", "/-/users/u-2/kick", ""); status != 200 || !strings.Contains(body, `"kicked": 1`) {
		t.Errorf("%d %s", status, body)
	}
	if ce := two.closed(); ce.Code != event.CloseKicked.Code {
		t.Errorf("closed with %v", ce)
	}
}

// TestFollowConnection streams what a connection says, never its words, up to its end.
func TestFollowConnection(t *testing.T) {
	t.Parallel()
	f := opsServer(t)
	c := f.dial("u-1")
	res := f.operation("GET", "/-/conns/"+c.hello.ConnectionID+"/trace?for=1m", "")
	defer res.Body.Close()
	c.send(`{"v":1,"type":"echo","id":"1","payload":{"body":"s3cret words"}}`)
	c.next()
	if err := c.WriteControl(websocket.PingMessage, []byte("xyz"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	c.send(`{"v":1,"type":`)
	c.next()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "s3cret") {
			t.Errorf("words were told: %s", lines.Text())
		}
		var fr ops.Frame
		if err := json.Unmarshal(lines.Bytes(), &fr); err != nil {
			t.Fatal(err)
		}
		if fr.Conn != "" && (fr.Conn != c.hello.ConnectionID || fr.User != "u-1") {
			t.Errorf("%+v", fr)
		}
		if fr.Conn != "" {
			got = append(got, fr.Dir+" "+fr.Type)
		}
	}
	if want := []string{"in echo", "out echo", "in ping", "out pong", "in invalid", "out error", "end client_gone"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStopEndsTraces: who follows does not keep the server from ending.
func TestStopEndsTraces(t *testing.T) {
	t.Parallel()
	f := opsServer(t)
	f.dial("u-1")
	if status, body := f.operate("POST", "/-/users/u-1/trace", ""); status != http.StatusAccepted {
		t.Errorf("%d %s", status, body)
	}
	res := f.operation("GET", "/-/users/u-1/trace?for=10m", "")
	defer res.Body.Close()
	f.stop()
	b, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(b), "the server stops") {
		t.Errorf("%s, %v", b, err)
	}
}

// TestConfigureByAPI changes a limit, names who did it, and refuses what makes no sense.
func TestConfigureByAPI(t *testing.T) {
	t.Parallel()
	f := opsServer(t)
	status, body := f.operate("PATCH", "/-/config", `{"limits.rooms": 7, "log.level": "debug"}`)
	if status != 200 || f.conf().Limits.Rooms != 7 || !f.debug() {
		t.Fatalf("%d %s", status, body)
	}
	ev := f.change("limits.rooms")
	if label(ev, "actor") != "alice by the operations API from 127.0.0.1" || label(ev, "from") != "100" || label(ev, "to") != "7" {
		t.Errorf("%s", ev.AppendJSON(nil))
	}
	for object, want := range map[string]string{
		`{"limits.rooms": 0}`: "limits.rooms: 0 must be at least 1",
		`{"addr": ":1"}`:      "addr: it cannot change while the server runs",
		`{"ops_token": "x"}`:  "a secret is changed in its file",
		`nonsense`:            "expected a JSON object",
	} {
		if status, body := f.operate("PATCH", "/-/config", object); status != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", object, status, body)
		}
	}
	status, body = f.operate("GET", "/-/config", "")
	if status != 200 || strings.Contains(body, opsToken) || strings.Contains(body, secret) || !strings.Contains(body, `"limits.rooms"`) {
		t.Errorf("%d %s", status, body)
	}
}

// BenchmarkSnapshot is one look at a connection.
func BenchmarkSnapshot(b *testing.B) {
	f := serve(b, testConfig(b), Deps{})
	f.dial("u-1")
	c := f.hub.all()[0]
	b.ReportAllocs()
	for b.Loop() {
		if v := c.snapshot(); v.User != "u-1" {
			b.Fatal(v)
		}
	}
}
