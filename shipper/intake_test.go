package shipper

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/shipper/input/httpin"
	"imwatch/shipper/input/syslog"
)

// freeAddr gives an address that nobody listens at.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding does not wait
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func httpSource(addr string) Source {
	c := &httpin.Config{Listen: addr}
	c.SetDefaults()
	c.AckTimeout = time.Second
	return Source{HTTP: c, Format: FormatContract}
}

// What comes through a pipe is shipped to its end, and then the shipper ends by itself; the same again makes nothing
// new.
func TestPipe(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	var text strings.Builder
	for n := range 500 {
		text.WriteString(line("im-1", n, epoch.Add(time.Duration(n)*time.Millisecond)) + "\n")
	}
	text.WriteString("no event\n" + `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect"}`)
	for range 2 {
		cfg := config(dir)
		cfg.Sources = []Source{{Stdin: true, Format: FormatContract}}
		s, err := New(cfg, Deps{Bus: b, Log: quiet(), Stdin: strings.NewReader(text.String())})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ids, _, marks := shipped(t, b)
	if len(ids) != 501 || marks["im-1"].IsZero() {
		t.Errorf("%d events, %v", len(ids), marks)
	}
	l := letters(t, b)
	if len(l) != 2 || l[0].ID != l[1].ID || l[0].File != "stdin" || l[0].Original != "no event" {
		t.Errorf("%+v", l)
	}
}

// gate is a bus that can be away.
type gate struct {
	Bus
	away atomic.Bool
}

func (g *gate) ProduceSealed(ctx context.Context, topic string, partition int, as bus.Stamp, sealed []byte) error {
	if g.away.Load() {
		return errFlaky
	}
	return g.Bus.ProduceSealed(ctx, topic, partition, as, sealed)
}

// A request is answered by 200 only when its lines are safe: acknowledged, or in the queue on disk. Sent again they make
// no second event, and files are read beside them.
func TestHTTPIsAnsweredWhenLinesAreSafe(t *testing.T) {
	t.Parallel()
	t.Run("queue", func(t *testing.T) { t.Parallel(); testHTTP(t, QueueAuto) })
	t.Run("no queue", func(t *testing.T) { t.Parallel(); testHTTP(t, "") })
}

func testHTTP(t *testing.T, queueDir string) {
	t.Helper()
	dir, b := t.TempDir(), newBus(t)
	g := &gate{Bus: b}
	g.away.Store(true)
	live, addr := filepath.Join(dir, "app.log"), freeAddr(t)
	cfg := config(dir, live)
	cfg.Sources = append(cfg.Sources, httpSource(addr))
	cfg.Queue.Dir = queueDir
	stop := start(t, cfg, g)
	body := `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect"}` + "\nno event\n\n"
	post := func() (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/lines", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, "" // it is not listening yet
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	want := http.StatusServiceUnavailable
	if queueDir != "" {
		want = http.StatusOK
	}
	eventually(t, "an answer while the broker is away", func() bool { status, _ := post(); return status != 0 })
	if status, _ := post(); status != want {
		t.Errorf("answered %d while the broker is away, not %d", status, want)
	}
	appendTo(t, live, line("im-1", 1, epoch)+"\n")
	g.away.Store(false)
	eventually(t, "an answer when it is back", func() bool { status, text := post(); return status == 200 && strings.Contains(text, `{"lines":3}`) })
	eventually(t, "the file's line", func() bool { ids, _, _ := shipped(t, b); return len(ids) == 2 })
	stop()
	http.DefaultClient.CloseIdleConnections()
	seen := map[string]bool{}
	for _, l := range letters(t, b) {
		seen[l.ID] = true
		if l.File != "http://127.0.0.1" || l.Offset != 63 {
			t.Errorf("%+v", l)
		}
	}
	if len(seen) != 1 {
		t.Errorf("the line that is no event has %d ids", len(seen))
	}
}

// Messages of syslog become events, by their header or by what they carry.
func TestSyslog(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	var sources []Source
	for _, format := range []string{formatSyslog, FormatContract} {
		c := &syslog.Config{TCP: freeAddr(t)}
		c.SetDefaults()
		sources = append(sources, Source{Syslog: c, Format: format})
	}
	cfg := config(dir)
	cfg.Sources = sources
	stop := start(t, cfg, b)
	for i, text := range []string{
		`<11>1 2026-11-21T10:00:00.5Z gw-1 gateway - - - {"action":"connect","userId":"u1"}`,
		`<11>1 2026-11-21T10:00:00.5Z gw-2 gateway - - - ` + line("im-9", 1, epoch),
	} {
		var c net.Conn
		eventually(t, "it listens", func() bool {
			var err error
			c, err = net.Dial("tcp", sources[i].Syslog.TCP) //nolint:noctx // to itself
			return err == nil
		})
		if _, err := fmt.Fprintf(c, "%d %s", len(text), text); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	eventually(t, "both are there", func() bool { ids, _, _ := shipped(t, b); return len(ids) == 2 })
	stop()
	nodes := map[string]string{}
	for _, m := range all(t, b, bus.TopicLifecycle) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			t.Fatal(err)
		}
		if !e.IsWatermark() {
			nodes[e.Node()] = e.Text(event.FieldLogFilePath)
		}
	}
	if len(nodes) != 2 || nodes["gw-1"] != "syslog://127.0.0.1" || nodes["im-9"] != "syslog://127.0.0.1" {
		t.Errorf("%v", nodes)
	}
}

func TestInputSettingsAreChecked(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	cfg.ExitAtEnd = true
	cfg.Sources = []Source{
		{Format: FormatContract},
		{Format: FormatContract, Stdin: true, Paths: []string{"x"}},
		{Format: FormatContract, Stdin: true},
		{Format: FormatContract, HTTP: &httpin.Config{}, Multiline: &Multiline{}},
		{Format: FormatContract, Syslog: &syslog.Config{}},
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		"sources[0].paths: exactly one of paths, stdin, syslog and http is needed, found 0", "sources[1].paths: exactly one", "sources: 2 are stdin",
		"sources[3].multiline: it is for paths and stdin", "sources[3].http.listen: found", "sources[4].syslog.tcp: one of",
		"sources[3]: a listener has no end", "sources[4]: a listener has no end",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
