package imserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/im-server/eventlog"
	"imwatch/im-server/protocol"
	"imwatch/im-server/token"
)

// childEnv makes the test binary a server that can be killed: its value is the path of the log.
const childEnv = "IMSERVER_TEST_LOG"

// runChild serves until it is killed. It prints its address.
func runChild() int {
	cfg := DefaultConfig()
	cfg.Addr, cfg.OpsAddr, cfg.Node, cfg.Log.Path = "127.0.0.1:0", "", "im-test", os.Getenv(childEnv)
	cfg.JWT.Keys = []token.Key{{Algorithm: "HS256", Secret: secret}}
	cfg.Limits.ConnectRate, cfg.Limits.UserConnectRate = 0, 0
	cfg.Drain.RetryMin, cfg.Drain.RetryMax, cfg.Timeouts.Close = time.Millisecond, 10*time.Millisecond, 100*time.Millisecond
	if more := strings.Split(os.Getenv(childSharesEnv), ","); len(more) == 3 {
		cfg.Node, cfg.Redis.Addrs, cfg.Redis.Prefix = more[0], more[1:2], more[2]
		cfg.Redis.Journal, cfg.Redis.Timeout, cfg.Redis.Lease = "", 2*time.Second, time.Second
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	diag := logrus.New()
	diag.SetLevel(logrus.WarnLevel)
	s, err := New(cfg, Deps{Log: diag})
	if err == nil {
		_, _ = fmt.Fprintln(os.Stdout, s.Addr()) // the parent notices
		err = s.Run(ctx)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// childSharesEnv lets it share a Redis: the node's name, Redis' address and the prefix, with commas between.
const childSharesEnv = "IMSERVER_TEST_SHARES"

// child is a server in a process of its own.
type child struct {
	t    testing.TB
	cmd  *exec.Cmd
	addr string
	kept []*websocket.Conn // else the collector would close them
}

func startChild(tb testing.TB, log string, env ...string) *child {
	tb.Helper()
	c := &child{t: tb, cmd: exec.CommandContext(tb.Context(), os.Args[0], "-test.run=^$")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+log)
	c.cmd.Env = append(c.cmd.Env, env...)
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
	names, err := eventlog.Files(path)
	if err != nil {
		tb.Fatal(err)
	}
	var events []*event.Event
	for _, name := range names {
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
	// What was under way when the process died is written or not, and then is an orphan or none: how much that is, the
	// machine decides.
	if orphaned < held/2 || orphaned > held+held/2 {
		t.Errorf("%d connections are orphaned, about %d were held", orphaned, held)
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
