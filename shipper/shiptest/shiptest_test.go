package shiptest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/shipper"
)

func tester(tb testing.TB, change func(*shipper.Config)) *Tester {
	tb.Helper()
	cfg := shipper.DefaultConfig()
	cfg.Sources = []shipper.Source{{Name: "edge", Paths: []string{"/log/access*.log"}, Format: "nginx"}, {Paths: []string{"/log/gin.log"}, Format: "gin"}}
	if change != nil {
		change(&cfg)
	}
	t, err := New(cfg, "host-1", quiet(), func() time.Time { return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) })
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.Close(); err != nil {
			tb.Error(err)
		}
	})
	return t
}

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// write makes a file of a sample.
func write(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestPick(t *testing.T) {
	t.Parallel()
	two := tester(t, nil).cfg.Sources
	for _, tc := range []struct {
		sources          []shipper.Source
		name, file, want string // want begins with "!": an error
	}{
		{two, "", "samples/access-1.log", "edge"},
		{two, "", "gin.log", "/log/gin.log"},
		{two, "/log/gin.log", "-", "/log/gin.log"},
		{two[:1], "", "anything", "edge"},
		{two, "", "-", "!no source has a path that fits"},
		{two, "edg", "gin.log", `!did you mean "edge"?`},
		{append(two, two[0]), "", "access.log", "!several sources"},
	} {
		got, err := Pick(tc.sources, tc.name, tc.file)
		if want, isErr := strings.CutPrefix(tc.want, "!"); isErr {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v", tc, err)
			}
		} else if err != nil || got.Label() != want {
			t.Errorf("%+v: %s, %v", tc, got.Label(), err)
		}
	}
}

func TestSampleShowsWhatTheShipperWouldDo(t *testing.T) {
	t.Parallel()
	x := tester(t, func(c *shipper.Config) { c.Sampling.HTTPRequests = 1e-9 })
	var out strings.Builder
	line := `192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8"` + "\n"
	in := line + "\n" + strings.Repeat("x", event.MaxLine+1) + "\n\xff\r\n" + strings.Replace(line, " 200 ", " 500 ", 1)
	sum, err := x.File(write(t, "s.log", strings.TrimSuffix(in, "\n")), x.cfg.Sources[0], JSON(&out))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Summary{Lines: 5, Events: 1, DeadLetters: 2, Sampled: 1, Empty: 1}, sum); d != "" {
		t.Error(d)
	}
	for _, want := range []string{`{"line":1,"offset":0,"result":"sampled"}`, `"reason":"too_large"`, `"original":"/w==","encoding":"base64"`, `"node":{"name":"host-1"}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %.2000s", want, out.String())
		}
	}
}

func at(source, test int) string { return fmt.Sprintf("c.yaml:%d:%d", source, test) }

func TestTestsAreNotSampled(t *testing.T) {
	t.Parallel()
	x := tester(t, func(c *shipper.Config) {
		c.Sampling.HTTPRequests = 1e-9
		c.Sources[1].Tests = []shipper.Test{
			{Line: `[GIN] 2026/11/21 - 10:00:00 | 101 |   12.34ms |  192.0.2.1 | GET  "/"`, Expect: map[string]string{"http.response.status_code": "101", "event.duration": "12340000.0", "event.type": "access"}},
			{Line: "", DeadLetter: "pattern"},
		}
	})
	var out strings.Builder
	ran, failed, err := x.Tests(Text(&out), at)
	if err != nil || ran != 2 || failed != 1 || !strings.Contains(out.String(), "it became: empty, expected: dead letter for pattern") || !strings.Contains(out.String(), "FAIL  c.yaml:1:1: /log/gin.log: tests[1]\n") {
		t.Errorf("%d, %d, %v\n%s", ran, failed, err, out.String())
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestErrorsOfWriting(t *testing.T) {
	t.Parallel()
	x := tester(t, func(c *shipper.Config) { c.Sources[0].Tests = []shipper.Test{{Line: "x", DeadLetter: "pattern"}} })
	for _, out := range []Output{Text(full{}), JSON(full{})} {
		if _, err := x.File(write(t, "s.log", "x\n"), x.cfg.Sources[0], out); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
		if _, err := x.Stream(t.Context(), strings.NewReader("x\n"), "-", x.cfg.Sources[0], out); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
		if _, _, err := x.Tests(out, at); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
}

func traces(x *Tester) shipper.Source {
	return shipper.Source{
		Name: "traces", Format: "grok", Pattern: []string{`(?s)^%{TIMESTAMP_ISO8601:timestamp} %{LOGLEVEL:log.level} %{GREEDYDATA:error.message}$`},
		Fields: x.cfg.Sources[0].Fields, Multiline: &shipper.Multiline{Start: `^\d{4}-`, MaxLines: 3, MaxBytes: 1 << 10, Timeout: time.Second},
	}
}

func TestSampleOfLinesThatBelongTogether(t *testing.T) {
	t.Parallel()
	x := tester(t, nil)
	src := traces(x)
	const in = "2026-11-21T10:00:00Z ERROR one\r\n\tat a\r\n2026-11-21T10:00:01Z ERROR two\n\n2026-11-21T10:00:02Z ERROR three\n at b\n at c\n at d"
	var out, text strings.Builder
	sum, err := x.File(write(t, "s.log", in), src, JSON(&out))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Summary{Lines: 8, Events: 3, DeadLetters: 1}, sum); d != "" {
		t.Error(d)
	}
	for _, want := range []string{
		`{"line":1,"lines":2,"offset":0,"result":"event"`, `"message":"one\n\tat a"`, `{"line":3,"lines":2,"offset":39,`, `{"line":5,"lines":3,`,
		`{"line":8,"offset":`, `"reason":"pattern"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %s", want, out.String())
		}
	}
	if _, err := x.File(write(t, "s.log", in), src, Text(&text)); err != nil || !strings.Contains(text.String(), "s.log:5-7: event\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestTestsOfLinesThatBelongTogether(t *testing.T) {
	t.Parallel()
	x := tester(t, nil)
	src := traces(x)
	src.Tests = []shipper.Test{
		{Line: "2026-11-21T10:00:00Z ERROR one\n at a\n", Expect: map[string]string{"error.message": "one\n at a"}},
		{Line: "2026-11-21T10:00:00Z ERROR one\n at a\n2026-11-21T10:00:00Z ERROR two\n", Expect: map[string]string{}},
	}
	x.cfg.Sources = []shipper.Source{src}
	var out strings.Builder
	ran, failed, err := x.Tests(Text(&out), at)
	if err != nil || ran != 2 || failed != 1 || !strings.Contains(out.String(), `it is not one event: the next begins with line 3, "2026-11-21T10:00:00Z ERROR two"`) {
		t.Errorf("%d, %d, %v\n%s", ran, failed, err, out.String())
	}
}
