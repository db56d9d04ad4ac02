package imserver

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"imwatch/event"
	"imwatch/im-server/token"
)

// reloadable serves with a configuration that a test changes: hangup makes the server read what cfg and loadErr are then.
func reloadable(t *testing.T, cfg *Config, loadErr *error) (f *fixture, said *test.Hook, hangup func()) {
	t.Helper()
	log, said := test.NewNullLogger()
	reopen := make(chan os.Signal)
	path := filepath.Join(t.TempDir(), "imwatch.yaml")
	write(t, path, "1")
	var mu sync.Mutex // guards what is read
	read, readErr := *cfg, *loadErr
	f = serve(t, *cfg, Deps{Log: log, Reopen: reopen, Reload: &Reload{Path: path, Load: func() (Config, error) {
		mu.Lock()
		defer mu.Unlock()
		return read, readErr
	}}})
	return f, said, func() {
		mu.Lock()
		read, readErr = *cfg, *loadErr
		mu.Unlock()
		reopen <- syscall.SIGHUP
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) change(key string) *event.Event {
	f.t.Helper()
	return f.log.wait(f.t, "config_change of "+key, func(ev *event.Event) bool {
		v, _ := ev.Lookup("labels.key")
		return ev.Action() == event.ActionConfigChange.Code && v.Text == key
	})
}

// turnedAway connects in vain and gives the status of the answer.
func (f *fixture) turnedAway(user string) int {
	f.t.Helper()
	ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", "?token="+tokenFor(f.t, user)), nil)
	if err == nil {
		_ = ws.Close()
		return http.StatusSwitchingProtocols
	}
	defer res.Body.Close()
	return res.StatusCode
}

func label(ev *event.Event, name string) string {
	v, _ := ev.Lookup("labels." + name)
	return v.Text
}

// TestHangupChangesLimits changes what can change while connections are open, and says what cannot.
func TestHangupChangesLimits(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.Rooms = 1
	var loadErr error
	f, _, hangup := reloadable(t, &cfg, &loadErr)
	c := f.dial("u-1")
	c.send(`{"v":1,"type":"subscribe","id":"1","payload":{"room":"r-1"}}`)
	c.next()

	cfg.Limits.Rooms, cfg.Log.Level, cfg.Addr = 2, "debug", "127.0.0.1:1"
	cfg.Limits.Connections = 1
	cfg.JWT.Keys = []token.Key{{Algorithm: "HS256", Secret: strings.Repeat("n3w", 20)}}
	hangup()
	ev := f.change("limits.rooms")
	if label(ev, "from") != "1" || label(ev, "to") != "2" || label(ev, "applied") != "now" || !strings.HasPrefix(label(ev, "actor"), "file ") {
		t.Errorf("%s", ev.AppendJSON(nil))
	}
	want(t, ev, map[event.FieldID]string{event.FieldLogLevel: "warn", event.FieldEventOutcome: "success"})
	if ev := f.change("addr"); label(ev, "applied") != "restart" {
		t.Errorf("%s", ev.AppendJSON(nil))
	}
	if ev := f.change("jwt.keys"); strings.Contains(string(ev.AppendJSON(nil)), "n3w") {
		t.Errorf("a secret is in the log: %s", ev.AppendJSON(nil))
	}
	c.send(`{"v":1,"type":"subscribe","id":"2","payload":{"room":"r-2"}}`)
	if e := c.next(); e.Type != "ack" {
		t.Errorf("the second room gave %+v", e)
	}
	f.log.action(t, event.ActionJoin) // for the level is debug now
	if status := f.turnedAway("u-2"); status != http.StatusServiceUnavailable {
		t.Errorf("a second connection of one: %d", status)
	}
	if n := testutil.ToFloat64(f.reloading.wait); n != 2 {
		t.Errorf("%v keys wait for a restart", n)
	}

	f.change("log.level") // the last of them
	said := len(f.log.all(event.ActionConfigChange))
	hangup() // nothing new
	hangup()
	if n := len(f.log.all(event.ActionConfigChange)); n != said {
		t.Errorf("%d changes were said again", n-said)
	}
}

// TestBadConfigurationGoesUnused keeps the running one, says why, and recovers.
func TestBadConfigurationGoesUnused(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	var loadErr error
	f, said, hangup := reloadable(t, &cfg, &loadErr)
	hasError := func(text string) bool {
		for _, e := range said.AllEntries() {
			if e.Level == logrus.ErrorLevel && strings.Contains(e.Message, text) {
				return true
			}
		}
		return false
	}
	loadErr = errors.New("imwatch.yaml:3:5: limts: unknown key")
	hangup()
	hangup() // the first is done when the second is taken
	if !hasError("limts: unknown key") || testutil.ToFloat64(f.reloading.bad) != 1 {
		t.Errorf("a file that cannot be read is not said")
	}
	loadErr, cfg.Limits.Rooms, cfg.Limits.Errors = nil, 7, 0
	hangup()
	hangup()
	if !hasError("limits.errors: 0 must be at least 1") || f.conf().Limits.Rooms == 7 || testutil.ToFloat64(f.reloading.bad) != 1 {
		t.Error("a configuration with a fault was taken, or not said")
	}
	cfg.Limits.Errors = 5
	hangup()
	f.change("limits.errors")
	hangup()
	if f.conf().Limits.Rooms != 7 || testutil.ToFloat64(f.reloading.bad) != 0 {
		t.Error("the mended configuration was not taken")
	}
}

// TestChangedFileIsTaken looks at the file: only another content is read, and its owner is named.
func TestChangedFileIsTaken(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Origins = []string{"https://a.example"}
	var loadErr error
	f, _, _ := reloadable(t, &cfg, &loadErr)
	path, reads := f.deps.Reload.Path, testutil.ToFloat64(f.reloading.tries.WithLabelValues("unchanged"))
	changed := cfg
	changed.Origins = []string{"https://b.example"}
	f.deps.Reload.Load = func() (Config, error) { return changed, nil }
	touched := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, touched, touched); err != nil {
		t.Fatal(err)
	}
	f.watchConfig()
	if n := testutil.ToFloat64(f.reloading.tries.WithLabelValues("unchanged")); n != reads || len(f.log.all(event.ActionConfigChange)) != 0 {
		t.Error("a file that was only touched was read")
	}
	write(t, path, "other")
	f.watchConfig()
	ev := f.change("origins")
	if by := label(ev, "actor"); !strings.Contains(by, path) || !strings.Contains(by, "owner ") {
		t.Errorf("who did it is %q", by)
	}
	header := http.Header{"Origin": {"https://b.example"}}
	f.dialWith("u-1", header, "")
	if err := os.Remove(path); err != nil { // a file that is being replaced
		t.Fatal(err)
	}
	f.watchConfig()
}

// TestRateChanges: a rate that is set takes effect for addresses that are known.
func TestRateChanges(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	var loadErr error
	f, _, hangup := reloadable(t, &cfg, &loadErr)
	f.dial("u-1")
	cfg.Limits.ConnectRate, cfg.Limits.ConnectBurst = 0.001, 1
	hangup()
	f.change("limits.connect_rate")
	f.dial("u-1")
	if status := f.turnedAway("u-1"); status != http.StatusTooManyRequests {
		t.Errorf("beyond the rate: %d", status)
	}
}
