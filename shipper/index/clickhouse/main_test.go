package clickhouse

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/shipper/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func quiet() logrus.FieldLogger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// engine starts ClickHouse's engine behind its HTTP protocol and gives the address.
func engine(tb testing.TB) string {
	tb.Helper()
	python := os.Getenv("IMWATCH_TEST_PYTHON")
	if python == "" {
		tb.Skip("IMWATCH_TEST_PYTHON is not set to a python that has chdb: test/infra/python/python.sh install")
	}
	cmd := exec.CommandContext(tb.Context(), python, "testdata/server.py", tb.TempDir())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it was told to end, or the test's context ends it
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("the engine did not start: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(line)
}

func keeper(tb testing.TB, url string) *Keeper {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.URL = url
	k, err := New(cfg, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = k.Close() })
	return k
}

// rows gives what a query answers.
func rows(tb testing.TB, k *Keeper, query string) []map[string]any {
	tb.Helper()
	answer, err := k.client.do(tb.Context(), query+" FORMAT JSONEachRow", nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	var all []map[string]any
	for dec := json.NewDecoder(strings.NewReader(answer)); ; {
		var row map[string]any
		if err := dec.Decode(&row); err == io.EOF {
			return all
		} else if err != nil {
			tb.Fatalf("%v in %s", err, answer)
		}
		all = append(all, row)
	}
}

// anEvent is one with every type of field in it.
func anEvent(n int64, at time.Time, level string) index.Item {
	var e event.Event
	e.Begin(event.ActionConnect, at)
	e.SetText(event.FieldEventID, fmt.Sprintf("im-1-b-%010d", n))
	e.SetText(event.FieldLogLevel, level)
	e.SetText(event.FieldClientIP, "192.0.2.1")
	e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%7))
	e.SetInt(event.FieldHTTPStatus, 101)
	e.SetFloat(event.FieldHeartbeatRTT, 2.5)
	e.SetBool(event.FieldSessionResumed, n%2 == 0)
	e.SetLabel("team", "im")
	return index.Item{Topic: "im.lifecycle", Partition: 3, Offset: n, Time: at.Add(time.Second), ID: e.ID(), Body: e.AppendJSON(nil)}
}

func aLetter(n int64, at time.Time) index.Item {
	l := deadletter.Letter{At: at, ID: fmt.Sprintf("im.lifecycle-3-%d", n), Stage: "indexer", Reason: "json", Topic: "im.lifecycle", Partition: 3, Offset: n, Original: []byte("{'")}
	return index.Item{Topic: "im.lifecycle", Partition: 3, Offset: n, Time: at, ID: l.ID, Letter: true, Body: l.AppendJSON(nil)}
}
