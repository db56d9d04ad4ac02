package parse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
)

var update = flag.Bool("update", false, "write the golden files")

// made gives the parser of a format that needs no more.
func made(tb testing.TB, format string) Parser {
	tb.Helper()
	p, err := New(Options{Format: format, Location: time.FixedZone("", 8*3600), Defaults: Defaults{Service: "api", Node: "im-1"}})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// The golden files show each line's record, or why it is none.
func TestReadyFormatsGolden(t *testing.T) {
	t.Parallel()
	for _, name := range Formats() {
		if name == FormatJSON || name == FormatGrok || name == FormatDissect {
			continue
		}
		p := made(t, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := os.ReadFile(filepath.Join("testdata", name+".log"))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			var e event.Event
			offset := int64(0)
			for sc := bufio.NewScanner(bytes.NewReader(in)); sc.Scan(); {
				rec, err := p.Parse(nil, &e, sc.Text(), Origin{File: "/var/log/" + name + ".log", Offset: offset, Generation: "g"})
				offset += int64(len(sc.Bytes())) + 1
				if err != nil {
					f, ok := FaultOf(err)
					if !ok {
						t.Fatalf("%v is no fault", err)
					}
					fmt.Fprintf(&out, "%s: %s\n", f.Reason, f.Detail)
					continue
				}
				var again event.Event
				if err := event.Decode(rec, &again); err != nil {
					t.Fatalf("%s: %v", rec, err)
				}
				for _, x := range again.Extras() {
					if !takeable(x.Name) {
						t.Errorf("%s is no name that a store takes", x.Name)
					}
				}
				out.Write(append(rec, '\n'))
			}
			golden(t, filepath.Join("testdata", name+".golden"), out.Bytes())
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Error(d)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	p := &Contract{defaults: Defaults{Service: "im-server", Node: "im-9"}}
	at := Origin{File: "/log/a.log", Offset: 42, Generation: "g"}
	const full = `{"@timestamp":"2026-11-21T10:00:00.000Z","ecs":{"version":"8.17.0"},"event":{"id":"im-1-b-0000000001","action":"connect","kind":"event","dataset":"im.connection"},"log":{"level":"info"},"service":{"name":"s","node":{"name":"im-1"}},"user":{"id":"u1"}`
	for name, tc := range map[string]struct{ line, want, reason string }{
		"whole":         {line: full + "}", want: full + `,"log.file.path":"/log/a.log","log.offset":42}`},
		"crlf":          {line: full + "} \r", want: full + `,"log.file.path":"/log/a.log","log.offset":42}`},
		"has an origin": {line: full + `,"log.offset":7}`, want: full + `,"log.offset":7,"log.file.path":"/log/a.log"}`},
		"bare": {
			line: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect"}`,
			want: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect","log.file.path":"/log/a.log","log.offset":42,"event.id":"019aa5e5de00` + `e94","service.node.name":"im-9","service.name":"im-server","log.level":"info","event.dataset":"im.connection","event.kind":"event","ecs.version":"8.17.0"}`,
		},
		"no action":    {line: `{"@timestamp":"2026-11-21T10:00:00Z"}`, reason: "missing"},
		"empty action": {line: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":""}`, reason: "missing"},
		"no time":      {line: `{"level":"info","msg":"hello"}`, reason: "missing"},
		"torn":         {line: `{"@timestamp":"2026-11-21T10:00:00Z","ev`, reason: "json"},
		"not utf-8":    {line: "{\"@timestamp\":\"\xff\"}", reason: "utf8"},
		"wrong type":   {line: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect","client.port":"x"}`, reason: "type"},
		"watermark":    {line: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"watermark","event.dataset":"im.pipeline"}`, reason: "reserved"},
		"long id":      {line: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect","event.id":"` + string(bytes.Repeat([]byte("x"), 513)) + `"}`, reason: "id"},
		"too large":    {line: string(bytes.Repeat([]byte("x"), event.MaxLine+1)), reason: "too_large"},
		"no room":      {line: `{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect","message":"` + strings.Repeat("x", event.MaxLine-100) + `"}`, reason: "too_large"},
		"not an event": {line: "hello", reason: "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e event.Event
			got, err := p.Parse(nil, &e, tc.line, at)
			if f, _ := FaultOf(err); f.Reason != tc.reason {
				t.Fatalf("got %v, want a fault for %q", err, tc.reason)
			}
			if tc.reason != "" {
				return
			}
			if name == "bare" {
				// the id is a hash: only that it is one, and stays, is of interest
				id := e.ID()
				if len(id) != 32 || id != MakeID(tc.line, at, e.Time()) {
					t.Errorf("event.id is %q", id)
				}
				tc.want = string(bytes.Replace([]byte(tc.want), []byte("019aa5e5de00e94"), []byte(id), 1))
			}
			if d := cmp.Diff(tc.want, string(got)); d != "" {
				t.Error(d)
			}
			var again event.Event
			if err := event.Decode(got, &again); err != nil || !json.Valid(got) {
				t.Errorf("the record is no event: %v", err)
			}
			if again.Key() != e.Key() || again.Node() != e.Node() || again.ID() != e.ID() {
				t.Errorf("record and event differ: %s", got)
			}
		})
	}
}

func TestDatasetsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	for _, a := range event.Actions() {
		if got := datasetOf(a.Code); got != a.Dataset && a.Dataset != event.DatasetPipeline {
			t.Errorf("%s is of %s, not of %s", a.Code, a.Dataset, got)
		}
	}
}

func TestMakeIDDependsOnOriginAndContent(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	base := MakeID("line", Origin{Generation: "g", Offset: 1}, now)
	for _, other := range []string{
		MakeID("line", Origin{Generation: "g", Offset: 2}, now), MakeID("line", Origin{Generation: "h", Offset: 1}, now),
		MakeID("lime", Origin{Generation: "g", Offset: 1}, now), MakeID("line", Origin{Generation: "g", Offset: 1}, now.Add(time.Millisecond)),
	} {
		if other == base {
			t.Errorf("the id %s came twice", base)
		}
	}
	if same := MakeID("line", Origin{Generation: "g", Offset: 1, File: "renamed"}, now); same != base {
		t.Errorf("the name of the file changed the id")
	}
}

func TestPatternErrors(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{
		"unknown field":      `%{TIMESTAMP_ISO8601:timestamp} %{IP:client.ipp}`,
		"no timestamp":       `%{IP:client.ip}`,
		"twice":              `%{NOTSPACE:timestamp} %{IP:client.ip} %{IP:client.ip}`,
		"unknown definition": `%{NOTSPACE:timestamp} %{NONSENSE:client.ip}`,
		"bad expression":     `%{NOTSPACE:timestamp} (`,
	} {
		if _, err := New(Options{Format: FormatGrok, Patterns: []string{pattern}}); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Log(err)
		}
	}
}

func TestTextFields(t *testing.T) {
	t.Parallel()
	p, err := New(Options{Format: FormatGrok, Patterns: []string{`^%{TIMESTAMP_ISO8601:timestamp} %{WORD:log.level} %{WORD:event.action} %{NOTSPACE:labels.shard} %{IP:client.ip}$`}})
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if _, err := p.Parse(nil, &e, "2026-11-21 10:00:00,250 warn disconnect s-3 192.0.2.1", Origin{File: "f"}); err != nil {
		t.Fatal(err)
	}
	shard, _ := e.Lookup("labels.shard")
	got := []string{event.FormatTime(e.Time()), e.Text(event.FieldLogLevel), e.Action(), shard.Text, e.Text(event.FieldClientIP)}
	if d := cmp.Diff([]string{"2026-11-21T10:00:00.250Z", "warn", "disconnect", "s-3", "192.0.2.1"}, got); d != "" {
		t.Error(d)
	}
}

// Whatever the line is, it is an event that can be read again, or a fault with a reason.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.log"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for l := range bytes.SplitSeq(b, []byte("\n")) {
			f.Add(string(l))
		}
	}
	f.Add(`{"@timestamp":"2026-11-21T10:00:00Z","event.action":"connect","log":{"level":"info"}}`)
	var parsers []Parser
	for _, name := range Formats() {
		if name != FormatJSON && name != FormatGrok && name != FormatDissect {
			parsers = append(parsers, made(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, p := range parsers {
			var e, again event.Event
			rec, err := p.Parse(nil, &e, line, Origin{File: "/log/\"a\".log", Offset: 1, Generation: "g"})
			if err != nil {
				if fault, ok := FaultOf(err); !ok || fault.Reason == "" || fault.Detail == "" {
					t.Fatalf("%v is no fault", err)
				}
				continue
			}
			if !json.Valid(rec) || bytes.IndexByte(rec, '\n') >= 0 && bytes.IndexByte([]byte(line), '\n') < 0 {
				t.Fatalf("not JSON on one line: %s", rec)
			}
			if err := event.Decode(rec, &again); err != nil {
				t.Fatalf("%v in %s", err, rec)
			}
			if again.ID() == "" || again.ID() != e.ID() || again.Key() == "" {
				t.Fatalf("id %q became %q in %s", e.ID(), again.ID(), rec)
			}
		}
	})
}

func BenchmarkContract(b *testing.B) {
	p := &Contract{defaults: Defaults{Service: "s", Node: "n"}}
	line := `{"@timestamp":"2026-11-21T10:00:00.123Z","ecs":{"version":"8.17.0"},"event":{"id":"im-1-6aa0b2c4-0000000012","dataset":"im.connection","kind":"event","action":"disconnect","category":["session","network"],"type":["end","connection"],"outcome":"failure","duration":12345678901},"log":{"level":"warn"},"message":"connection ended","service":{"name":"im-server","version":"1.0.0","environment":"production","node":{"name":"im-1"}},"trace":{"id":"0af7651916cd43dd8448eb211c80319c"},"span":{"id":"b7ad6b7169203331"},"client":{"ip":"192.0.2.33","port":51234},"user":{"id":"u-123456"},"im":{"connection":{"id":"c-123456"},"close":{"code":1006,"reason":"client_gone","initiator":"network"},"bytes":{"in":1234,"out":5678}}}`
	bench(b, p, line)
}

func BenchmarkGin(b *testing.B) {
	bench(b, made(b, "gin"), `[GIN] 2026/11/21 - 10:00:00 | 101 |   12.34ms |       192.0.2.1 | GET      "/ws/connect?token=secret"`)
}

func BenchmarkNginx(b *testing.B) {
	bench(b, made(b, "nginx"), `192.0.2.1 - - [21/Nov/2026:10:00:00 +0800] "GET /ws/connect?token=secret HTTP/1.1" 101 0 "-" "Mozilla/5.0 (X11; Linux x86_64)" 0.123`)
}

func BenchmarkEnvoy(b *testing.B) {
	bench(b, made(b, "envoy"), `[2026-11-21T10:00:00.000Z] "GET /ws/connect?token=secret HTTP/1.1" 101 - 0 19 45 - "192.0.2.1, 10.0.0.1" "okhttp/4.12" "0af76519-16cd-43dd-8448-eb211c80319c" "im.example.org" "10.0.0.3:80"`)
}

func BenchmarkIMJSON(b *testing.B) {
	bench(b, made(b, "im-json"), `{"level":"info","time":"2026-11-21T10:00:00.123Z","caller":"gateway/server.go:88","msg":"registerClient","client_ip":"192.0.2.33","status":101,"latency":0.01234,"method":"GET","path":"/ws/connect","connId":"c-123","userId":"u-456","deviceId":"d-1","platformID":2,"operationID":"0af7651916cd43dd8448eb211c80319c","extra":{"shard":3,"retry":false}}`)
}

func BenchmarkAutoContract(b *testing.B) {
	bench(b, made(b, "auto"), `{"@timestamp":"2026-11-21T10:00:00.123Z","event":{"id":"im-1-6aa0b2c4-0000000012","action":"disconnect"},"user":{"id":"u-123456"}}`)
}

func bench(b *testing.B, p Parser, line string) {
	b.Helper()
	var e event.Event
	buf := make([]byte, 0, 4096)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = p.Parse(buf[:0], &e, line, Origin{File: "/var/log/app.log", Offset: 1, Generation: "g"}); err != nil {
			b.Fatal(err)
		}
	}
}
