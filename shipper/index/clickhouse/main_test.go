package clickhouse

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"
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
