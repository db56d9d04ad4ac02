package imserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// childEnv makes the test binary a server that can be killed: its value is the path of the log.
const childEnv = "IMSERVER_TEST_LOG"

// runChild serves until it is killed. It prints its address.
func runChild() int {
	cfg := DefaultConfig()
	cfg.Addr, cfg.OpsAddr, cfg.Node, cfg.Log.Path = "127.0.0.1:0", "", "im-test", os.Getenv(childEnv)
	cfg.JWT.Keys = []JWTKey{{Algorithm: "HS256", Secret: secret}}
	cfg.Limits.ConnectRate = 0
	s, err := New(cfg, Deps{})
	if err == nil {
		_, _ = fmt.Fprintln(os.Stdout, s.Addr()) // the parent notices
		err = s.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// child is a server in a process of its own.
type child struct {
	t    testing.TB
	cmd  *exec.Cmd
	addr string
}

func startChild(tb testing.TB, log string) *child {
	tb.Helper()
	c := &child{t: tb, cmd: exec.CommandContext(tb.Context(), os.Args[0], "-test.run=^$")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+log)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	if c.addr, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Fatalf("the child did not say its address: %v", err)
	}
	c.addr = strings.TrimSpace(c.addr)
	return c
}

func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Error(err)
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); !errors.As(err, &exit) {
		c.t.Errorf("the child ended with %v", err)
	}
}

func (c *child) dial(user string) *websocket.Conn {
	c.t.Helper()
	ws, res, err := websocket.DefaultDialer.Dial("ws://"+c.addr+protocol.Path+"?token="+tokenFor(c.t, user), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = res.Body.Close()
	return ws
}

// readLog decodes a log with all its renamed files, oldest first.
func readLog(tb testing.TB, path string) []*event.Event {
	tb.Helper()
	names, err := rotatedFiles(path)
	if err != nil {
		tb.Fatal(err)
	}
	var events []*event.Event
	for _, name := range append(names, path) {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			ev := new(event.Event)
			if event.Decode(bytes.TrimSuffix(line, []byte("\n")), ev) == nil {
				events = append(events, ev)
			}
		}
	}
	return events
}

// endsOf counts starts and ends in a log, and fails where they are not pairs.
func endsOf(tb testing.TB, events []*event.Event) (orphaned int) {
	tb.Helper()
	starts, ends := map[string]*event.Event{}, map[string]int{}
	for _, ev := range events {
		id := ev.Text(event.FieldConnID)
		switch ev.Action() {
		case event.ActionConnect.Code:
			starts[id] = ev
		case event.ActionDisconnect.Code:
			ends[id]++
		case event.ActionOrphaned.Code:
			ends[id]++
			orphaned++
			start := starts[id]
			if start == nil {
				continue // said below
			}
			want(tb, ev, map[event.FieldID]string{
				event.FieldEventID: "orphaned-" + id, event.FieldUserID: start.Text(event.FieldUserID), event.FieldSessionID: start.Text(event.FieldSessionID),
				event.FieldTraceID: start.Text(event.FieldTraceID), event.FieldClientIP: start.Text(event.FieldClientIP), event.FieldConnNode: "im-test",
				event.FieldCloseReason: "orphaned", event.FieldLogLevel: "error", event.FieldConnBoot: strings.Split(start.ID(), "-")[2],
			})
			if ev.Time().Before(start.Time().Truncate(time.Millisecond)) || ev.Time().After(time.Now()) {
				tb.Errorf("connection of %v was lost at %v", start.Time(), ev.Time())
			}
		}
	}
	for id := range starts {
		if ends[id] != 1 {
			tb.Errorf("connection %s has %d ends", id, ends[id])
		}
	}
	if len(ends) != len(starts) {
		tb.Errorf("%d connections have a start and %d an end", len(starts), len(ends))
	}
	return orphaned
}

// TestKilledNode kills a node with SIGKILL while connections come and go, twice, and wants one end for each of them.
func TestKilledNode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "im-server.log")
	held := 0
	for range 2 {
		node := startChild(t, path)
		var open []*websocket.Conn
		for i := range 40 {
			ws := node.dial(fmt.Sprintf("u-%d", i))
			if _, _, err := ws.ReadMessage(); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				open = append(open, ws)
				continue
			}
			if err := ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ws.ReadMessage(); err == nil {
				t.Error("the server did not close")
			}
			_ = ws.Close()
		}
		node.kill() // in the middle of the last ends
		for _, ws := range open {
			_ = ws.Close()
		}
		held += len(open)
	}
	cfg := testConfig(t)
	cfg.Log.Path = path
	for range 2 { // the second start finds nothing left to do
		serve(t, cfg, Deps{}).stop()
	}
	orphaned := endsOf(t, readLog(t, path))
	// A connect or disconnect may have been under way when the process died: then it is not, or is, among the orphans.
	if orphaned < held-2 || orphaned > held+2 {
		t.Errorf("%d connections are orphaned, about %d were held", orphaned, held)
	}
}

// TestOrphansAgreeWithTheLog crashes between any two of the writes that a connection's life makes, by cutting the ledger
// and the log where such a crash would, and wants one end for each start in the log.
func TestOrphansAgreeWithTheLog(t *testing.T) {
	t.Parallel()
	ledgerText, logText := pairOfFiles(t)
	for lines := range 1 + strings.Count(logText, "\n") {
		for marks := range 1 + strings.Count(ledgerText, "\n") {
			log, led := firstLines(logText, lines), firstLines(ledgerText, marks)
			if !possible(log, led) {
				continue
			}
			for _, torn := range []bool{false, true} {
				if torn {
					log, led = log+`{"@timestamp":"2026-`, led+`{"open":"c-`
				}
				path := filepath.Join(t.TempDir(), "im-server.log")
				write(t, path, log)
				write(t, besideLog(path, ".conns"), led)
				cfg := testConfig(t)
				cfg.Log.Path, cfg.OpsAddr = path, ""
				serve(t, cfg, Deps{}).stop()
				endsOf(t, readLog(t, path))
			}
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func firstLines(s string, n int) string {
	return strings.Join(strings.SplitAfter(s, "\n")[:n], "")
}

// possible says whether a crash can leave this log with this ledger: a start is in the ledger before it is in the log, an
// end in the log before it is in the ledger, and a mark is written when all before it is in both.
func possible(log, led string) bool {
	if !strings.Contains(led, "boot") {
		return log == ""
	}
	for _, id := range []string{"c-1", "c-2"} {
		opened, closed := strings.Contains(led, `{"open":"`+id), strings.Contains(led, `{"close":"`+id)
		ended := strings.Count(log, id) == 2
		if strings.Contains(log, id) && !opened || closed && !ended {
			return false
		}
	}
	for seq := range 5 {
		if strings.Contains(led, fmt.Sprintf(`"seq":%d}`, seq)) && strings.Count(log, "\n") < seq {
			return false
		}
	}
	return true
}

// pairOfFiles writes the log and the ledger of a boot in which two connections start and end.
func pairOfFiles(t *testing.T) (ledgerText, logText string) {
	t.Helper()
	dir := t.TempDir()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l, err := newLedger(filepath.Join(dir, "x.conns"), "im-test", "b00t", at)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	line := func(seq uint64, a event.Action, id string) {
		var ev event.Event
		ev.Begin(a, at.Add(time.Duration(seq)*time.Second))
		ev.SetText(event.FieldEventID, eventID("im-test-b00t-", seq))
		ev.SetText(event.FieldConnID, id)
		ev.SetText(event.FieldTraceID, "0af7651916cd43dd8448eb211c80319c")
		log.Write(append(ev.AppendJSON(nil), '\n'))
	}
	open := func(seq uint64, id string) {
		if err := l.opened(openRecord{ID: id, At: at.Add(time.Duration(seq) * time.Second).UnixNano(), Event: eventID("im-test-b00t-", seq), Trace: "0af7651916cd43dd8448eb211c80319c", Span: "b7ad6b7169203331"}); err != nil {
			t.Fatal(err)
		}
		line(seq, event.ActionConnect, id)
	}
	mark := func(seq uint64) {
		if err := l.alive(at.Add(time.Duration(seq)*time.Second), seq); err != nil {
			t.Fatal(err)
		}
	}
	open(1, "c-1")
	mark(1)
	open(2, "c-2")
	line(3, event.ActionDisconnect, "c-1")
	l.closed("c-1")
	mark(3)
	line(4, event.ActionDisconnect, "c-2")
	l.closed("c-2")
	mark(4)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), log.String()
}

func TestLedgerIsMadeSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.conns")
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l, err := newLedger(path, "im-test", "b00t", at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 10_000 {
		id := fmt.Sprintf("c-%d", i)
		if err := l.opened(openRecord{ID: id, At: at.UnixNano(), User: "u-1", Event: eventID("im-test-b00t-", uint64(i))}); err != nil {
			t.Fatal(err)
		}
		if i%1000 != 0 {
			l.closed(id)
		}
		if i%10 == 0 {
			if err := l.alive(at.Add(time.Duration(i)*time.Second), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.flush(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 2*ledgerSlack {
		t.Errorf("the ledger has %d bytes", info.Size())
	}
	st, err := readLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Open) != 10 || st.Node != "im-test" || st.Boot != "b00t" || !st.Begun.Equal(at) || !st.Alive.Equal(at.Add(9990*time.Second)) || st.Seq != 9990 || st.Bad != 0 {
		t.Errorf("the ledger says %d open, %+v", len(st.Open), st)
	}
}

func TestLedgerPassesOverWhatItCannotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.conns")
	write(t, path, "{\"boot\":\"b\",\"node\":\"n\",\"alive\":1}\nnonsense\n{\"open\":\"c-1\",\"at\":5}\n{\"close\":\"c-1")
	st, err := readLedger(path)
	if err != nil || st.Bad != 1 || len(st.Open) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestOneServerOnALog(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	serve(t, cfg, Deps{})
	if _, err := New(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server on the log: %v", err)
	}
}

func TestLinesBackward(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	for _, text := range []string{"", "torn", "a\n", "a\nb\ntorn", "\n\n", long + "\nb\n" + long + "\n", strings.Repeat("line\n", 40_000)} {
		path := filepath.Join(t.TempDir(), "log")
		write(t, path, text)
		var got []string
		if _, err := linesBackward(path, func(line []byte) bool { got = append(got, string(line)); return false }); err != nil {
			t.Fatal(err)
		}
		var wanted []string
		lines := strings.Split(text, "\n")
		for i := len(lines) - 2; i >= 0; i-- {
			if lines[i] != "" {
				wanted = append(wanted, lines[i])
			}
		}
		if strings.Join(got, "|") != strings.Join(wanted, "|") {
			t.Errorf("%d bytes: %d lines, want %d", len(text), len(got), len(wanted))
		}
	}
}
