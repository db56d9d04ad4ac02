package shiptest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/shipper"
	"imwatch/shipper/input/httpin"
	"imwatch/shipper/input/syslog"
	"imwatch/shipper/parse/mapping"
	"imwatch/shipper/parse/redact"
)

// grok is a source of text: a time, an action, and the rest.
func grok(s *shipper.Source) {
	s.Format, s.Pattern = "grok", mapping.Names{`(?s)^%{NOTSPACE:timestamp} %{NOTSPACE:event.action} %{GREEDYDATA:error.message}$`}
}

func asJSON(fields ...mapping.Field) func(*shipper.Source) {
	return func(s *shipper.Source) {
		s.Format = "json"
		s.Fields = append([]mapping.Field{{To: "timestamp", From: mapping.Names{"ts"}}, {To: "event.action", From: mapping.Names{"ev"}}}, fields...)
	}
}

const (
	contractLine = `{"@timestamp":"2026-11-21T10:00:00.123Z","event":{"action":"connect"},"user":{"id":"u-1"},"client":{"ip":"192.0.2.7"}}` + "\n"
	textLine     = "2026-11-21T10:00:00Z dependency_down gone\n"
	jsonLine     = `{"ts":"2026-11-21T10:00:00Z","ev":"connect","uid":7,"lvl":"debug","ip":"nowhere","more":{"x":1},"cost":12.5}` + "\n"
	accessLine   = `192.0.2.1 - - [21/Nov/2026:10:00:0%d +0000] "GET /a?token=%d HTTP/1.1" %d 612 "-" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"` + "\n"
)

func accesses() string {
	var b strings.Builder
	for n := range 60 {
		fmt.Fprintf(&b, accessLine, n%10, n, []int{200, 404, 500}[n%3])
	}
	return b.String()
}

func together(m shipper.Multiline) func(*shipper.Source) {
	return func(s *shipper.Source) {
		grok(s)
		d := shipper.Multiline{}
		d.SetDefaults()
		m.MaxLines, m.MaxBytes, m.Timeout = cmp.Or(m.MaxLines, d.MaxLines), cmp.Or(m.MaxBytes, d.MaxBytes), d.Timeout
		s.Multiline = &m
	}
}

const traces3 = "2026-11-21T10:00:00Z panic one\r\n\tat a\r\n\tat b\n2026-11-21T10:00:01Z panic two\n\n 3\n\x00\x002026-11-21T10:00:02Z panic three\n at c\n at d\n at e"

func cut(s *shipper.Source) {
	grok(s)
	s.TooLong = shipper.TooLongCut
}

// sameCases go through what a source, and what is done to all events, can be told.
func sameCases() []sameCase {
	long := func(n int) string { return "2026-11-21T10:00:00Z panic " + strings.Repeat("é", n/2) + "\n" }
	some := accesses()
	return []sameCase{
		{"contract", nil, nil, contractLine + `{"@timestamp":"2026-11-21T10:00:00Z"}` + "\n{\n[]\n" + strings.Replace(contractLine, `"user"`, `"status":500,"user"`, 1)},
		{"contract, ids", nil, nil, strings.Replace(contractLine, `{"action"`, `{"id":"`+strings.Repeat("i", 600)+`","action"`, 1) + strings.Replace(contractLine, `{"action"`, `{"id":"a","dataset":"im.pipeline","action"`, 1)},
		{"contract, defaults", func(s *shipper.Source) { s.Service, s.Environment, s.Node = "im", "test", "n-9" }, nil, contractLine},
		{"contract, too long", nil, nil, strings.Replace(contractLine, "u-1", strings.Repeat("u", 70_000), 1) + strings.Replace(contractLine, "u-1", strings.Repeat("u", 600_000), 1) + contractLine},
		{"contract, just too long with what is added", nil, nil, strings.Replace(contractLine, "u-1", strings.Repeat("u", event.MaxLine-len(contractLine)), 1)},
		{"CRLF", nil, nil, strings.ReplaceAll(contractLine+"\n"+contractLine, "\n", "\r\n")},
		{"byte order mark", nil, nil, "\ufeff" + contractLine + contractLine},
		{"byte order mark in text", grok, nil, "\ufeff" + textLine + textLine},
		{"zeros", nil, nil, "\x00\x00\x00" + contractLine + "\x00\x00" + contractLine + "\x00\n" + contractLine + "\x00\x00\x00"},
		{"zeros in text", grok, nil, "\x00" + textLine + "2026-11-21T10:00:00Z panic a\x00b\n"},
		{"UTF-16", grok, nil, "\xff\xfe2\x000\x00\n\x00x\x00\n\x00"},
		{"not UTF-8", grok, nil, "2026-11-21T10:00:00Z panic caf\xe9\n"},
		{"JSON that is not UTF-8", nil, nil, strings.Replace(contractLine, "u-1", "caf\xe9", 1) + "\xff\n"},
		{"nothing in them", nil, nil, "\n \t\r\n\u00a0\n\u2028\n" + contractLine + "   "},
		{"no newline at the end", nil, nil, contractLine + strings.TrimSpace(contractLine)},
		{"nothing at all", nil, nil, ""},
		{"too long", grok, nil, long(100) + long(70_000) + long(300_000) + long(1_000_000) + long(200)},
		{"too long, cut", cut, nil, long(100) + long(70_000) + long(300_000) + long(1_000_000) + long(200)},
		{"too long, cut, at the end", cut, nil, long(100) + strings.TrimSpace(long(300_000))},
		{"too long, cut, no event", cut, nil, strings.Repeat("x", 100_000) + "\n" + strings.Repeat("y", 600_000) + "\n" + textLine},
		{
			"too long, cut, sampled", func(s *shipper.Source) { s.Format, s.TooLong = "nginx", shipper.TooLongCut }, func(c *shipper.Config) { c.Sampling.HTTPRequests = 0.5 },
			strings.ReplaceAll(some, `"Mozilla`, `"`+strings.Repeat("M", 40_000)+strings.Repeat("N", 40_000)),
		},
		{"multiline, start", together(shipper.Multiline{Start: `^\d{4}-`}), nil, traces3},
		{"multiline, continue", together(shipper.Multiline{Continue: `^(\s|Caused by:)`}), nil, traces3},
		{"multiline, both", together(shipper.Multiline{Start: `^\d{4}-`, Continue: `^\s`}), nil, traces3},
		{"multiline, few lines", together(shipper.Multiline{Start: `^\d{4}-`, MaxLines: 2}), nil, traces3},
		{"multiline, few bytes", together(shipper.Multiline{Start: `^\d{4}-`, MaxBytes: 1024}), nil, long(900) + strings.Repeat(" at x\n", 400) + long(3000) + " at z\n"},
		{"multiline, much too long", together(shipper.Multiline{Start: `^\d{4}-`}), nil, textLine + strings.Repeat(" ", 300_000) + "\n at b\n" + textLine},
		{"pattern list, definitions", func(s *shipper.Source) {
			s.Format, s.Definitions = "grok", map[string]string{"UID": `u-\d+`}
			s.Pattern = mapping.Names{`^%{TIMESTAMP_ISO8601:timestamp} %{UID:user.id}$`, `^%{TIMESTAMP_ISO8601:timestamp} %{NOTSPACE:event.action}$`}
			s.Fields = []mapping.Field{{To: "event.action", Value: "connect"}}
		}, nil, "2026-11-21T10:00:00Z u-12\n2026-11-21T10:00:00Z disconnect\nno\n"},
		{"dissect", func(s *shipper.Source) {
			s.Format, s.Pattern = "dissect", mapping.Names{`%{timestamp} %{event.action} %{client.ip}`}
		}, nil, "2026-11-21T10:00:00Z connect 192.0.2.1\n2026-11-21T10:00:00Z connect nowhere\nx\n"},
		{"times", func(s *shipper.Source) {
			grok(s)
			s.TimeLayouts, s.Timezone = mapping.Names{"02.01.2006T15:04:05", "epoch_ms"}, "Asia/Shanghai"
		}, nil, "21.11.2026T10:00:00 panic a\n1795255200000 panic b\n2026-11-21T10:00:00Z panic c\n"},
		{"times without a year", func(s *shipper.Source) { grok(s); s.TimeLayouts = mapping.Names{"Jan2T15:04:05"} }, nil, "Jan2T03:04:05 panic a\n"},
		{"fields", asJSON(mapping.Field{To: "user.id", From: mapping.Names{"uid"}}, mapping.Field{To: "event.duration", From: mapping.Names{"cost"}, Unit: "ms"}), nil, jsonLine + strings.Replace(jsonLine, "connect", "?", 1) + `{"ev":"connect"}` + "\n"},
		{"bad: refuse", asJSON(mapping.Field{To: "client.ip", From: mapping.Names{"ip"}, Bad: "refuse"}), nil, jsonLine},
		{"bad: label", asJSON(mapping.Field{To: "client.ip", From: mapping.Names{"ip"}, Bad: "label"}), nil, jsonLine},
		{"bad: skip", asJSON(mapping.Field{To: "client.ip", From: mapping.Names{"ip"}, Bad: "skip"}), nil, jsonLine},
		{"rest: labels", func(s *shipper.Source) { asJSON()(s); s.Rest = "labels" }, nil, jsonLine},
		{"rest: drop", func(s *shipper.Source) { asJSON()(s); s.Rest = "drop" }, nil, jsonLine},
		{"ignore", func(s *shipper.Source) {
			asJSON()(s)
			s.Ignore = []mapping.Condition{{"lvl": mapping.Names{"debug"}}}
		}, nil, jsonLine + strings.Replace(jsonLine, "debug", "info", 1)},
		{"without_action: ignore", func(s *shipper.Source) { asJSON()(s); s.WithoutAction = "ignore" }, nil, `{"ts":"2026-11-21T10:00:00Z"}` + "\n" + jsonLine},
		{"nginx", func(s *shipper.Source) { s.Format = "nginx" }, nil, some + "x\n"},
		{"auto", func(s *shipper.Source) { s.Format = "auto" }, nil, some + contractLine + jsonLine + "x\n"},
		{"syslog lines", func(s *shipper.Source) { s.Format = "syslog" }, nil, "<34>1 2026-11-21T10:00:00Z h app 1 ID - user offline\n<13>Nov 21 10:00:00 h app: hello\nx\n"},
		{"sampling, http_requests", func(s *shipper.Source) { s.Format = "nginx" }, func(c *shipper.Config) { c.Sampling.HTTPRequests = 0.3 }, some},
		{
			"sampling, warn_rate", nil, func(c *shipper.Config) { c.Sampling.WarnRate, c.Sampling.WarnShare = 2, 0.3 },
			strings.Repeat(strings.Replace(contractLine, `"connect"}`, `"rate_limited"},"log":{"level":"warn"}`, 1), 40),
		},
		{"user agents", func(s *shipper.Source) { s.Format = "nginx" }, func(c *shipper.Config) { c.UserAgents = true }, some},
		{"redaction", func(s *shipper.Source) { s.Format = "nginx" }, func(c *shipper.Config) {
			c.Redact.Key, c.Redact.DeadLetters = strings.Repeat("k", 32), true
			c.Redact.Rules = []redact.Rule{{Fields: mapping.Names{"client.ip"}, Do: "mask"}, {Fields: mapping.Names{"user_agent.original"}, Do: "hash"}, {Match: `Windows`, Do: "mask"}, {Fields: mapping.Names{"http.version"}, Do: "drop"}}
		}, some + "GET /?token=secret is none Windows\n"},
		{"redaction of contract lines", nil, func(c *shipper.Config) {
			c.Redact.Rules = []redact.Rule{{Fields: mapping.Names{"client.ip"}, Do: "mask"}}
		}, contractLine},
	}
}

type sameCase struct {
	name   string
	source func(*shipper.Source)
	config func(*shipper.Config)
	in     string
}

func (c sameCase) make(paths ...string) shipper.Config {
	cfg := shipper.DefaultConfig()
	src := shipper.Source{Paths: paths, Format: shipper.FormatContract}
	if c.source != nil {
		c.source(&src)
	}
	cfg.Sources = []shipper.Source{src}
	if c.config != nil {
		c.config(&cfg)
	}
	return cfg
}

// became is what a line has become, tried or shipped.
type became struct {
	Event, ID, Reason, Detail, Original string
	Offset                              int64
	Part                                int
}

// tried gives what ship --test shows.
func tried(tb testing.TB, cfg shipper.Config, read func(*Tester, Output) (Summary, error)) (all []became) {
	tb.Helper()
	host, err := os.Hostname()
	if err != nil {
		tb.Fatal(err)
	}
	x, err := New(cfg, host, quiet(), time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	var out bytes.Buffer
	if _, err := read(x, JSON(&out)); err != nil {
		tb.Fatal(err)
	}
	for line := range bytes.Lines(out.Bytes()) {
		var r struct {
			became
			Result, Encoding string
			Event            json.RawMessage
		}
		if err := json.Unmarshal(line, &r); err != nil {
			tb.Fatal(err)
		}
		r.became.Event = string(r.Event)
		if r.Encoding != "" {
			b, err := base64.StdEncoding.DecodeString(r.Original)
			if err != nil {
				tb.Fatal(err)
			}
			r.Original = string(b)
		}
		switch r.Result {
		case shipper.TriedEvent:
			r.Offset = 0 // the event has it
			all = append(all, r.became)
		case shipper.TriedDeadLetter:
			all = append(all, r.became)
		}
	}
	return all
}

// shipped gives what a run of the shipper has written; with until set it is ended once that many have come.
func shipped(tb testing.TB, cfg shipper.Config, stdin io.Reader, until int, send func()) (all []became) {
	tb.Helper()
	b := membus.New()
	defer func() { _ = b.Close() }()
	for _, topic := range []string{bus.TopicLifecycle, bus.TopicDeadLetter} {
		if err := b.EnsureTopics(tb.Context(), bus.TopicSpec{Name: topic, Partitions: 1}); err != nil {
			tb.Fatal(err)
		}
	}
	cfg.Checkpoint, cfg.ExitAtEnd = filepath.Join(tb.TempDir(), "checkpoint.json"), send == nil
	s, err := shipper.New(cfg, shipper.Deps{Bus: b, Log: quiet(), Stdin: stdin})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if send != nil {
		send()
		for tick, late := time.NewTicker(5*time.Millisecond), time.After(20*time.Second); len(written(tb, b)) < until; {
			select {
			case <-tick.C:
			case <-late:
				tb.Fatalf("%d of %d have come", len(written(tb, b)), until)
			}
		}
		cancel()
	}
	if err := <-ended; err != nil {
		tb.Fatal(err)
	}
	return written(tb, b)
}

func written(tb testing.TB, b *membus.Bus) (all []became) {
	tb.Helper()
	for _, m := range messages(tb, b, bus.TopicLifecycle) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			tb.Fatal(err)
		}
		if e.Text(event.FieldEventDataset) != event.DatasetPipeline {
			all = append(all, became{Event: string(m.Value)})
		}
	}
	for _, m := range messages(tb, b, bus.TopicDeadLetter) {
		l, err := deadletter.Decode(m.Value)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, became{ID: l.ID, Reason: l.Reason, Detail: l.Detail, Original: string(l.Original), Offset: l.Offset, Part: l.Part})
	}
	return all
}

func messages(tb testing.TB, b *membus.Bus, topic string) (ms []bus.Message) {
	tb.Helper()
	ends, err := b.Ends(tb.Context(), topic)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := b.Read(tb.Context(), topic, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for int64(len(ms)) < ends[0] {
		got, err := c.Fetch(tb.Context(), 1000)
		if err != nil {
			tb.Fatal(err)
		}
		ms = append(ms, got...)
	}
	return ms
}

// agree holds what was tried to what was shipped: events in their order, and then dead letters.
func agree(tb testing.TB, shipped, tried []became) {
	tb.Helper()
	var events, letters []became
	for _, x := range tried {
		if x.Reason == "" {
			events = append(events, x)
		} else {
			letters = append(letters, x)
		}
	}
	if d := diff.Diff(shipped, slices.Concat(events, letters)); d != "" {
		tb.Errorf("- shipped, + tried:\n%.4000s", d)
	}
}

// TestSampleIsWhatIsShipped ships a file and tries it: of every option of a source that changes what becomes of a line,
// both come to the same.
func TestSampleIsWhatIsShipped(t *testing.T) {
	t.Parallel()
	for _, c := range sameCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "app.log", c.in)
			cfg := c.make(path)
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			want := shipped(t, cfg, nil, 0, nil)
			agree(t, want, tried(t, cfg, func(x *Tester, out Output) (Summary, error) { return x.File(path, cfg.Sources[0], out) }))
			if len(want) == 0 && c.in != "" {
				t.Error("nothing is compared")
			}
		})
	}
}

// A packed file is what it unpacks to, and what lies beside a sample is none of it.
func TestPackedSample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live, packed := filepath.Join(dir, "app.log"), filepath.Join(dir, "app.log.1.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, "\ufeff"+contractLine+"x\n"+contractLine); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packed, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := sameCase{}.make(live)
	want := shipped(t, cfg, nil, 0, nil)
	if len(want) != 3 {
		t.Fatalf("%d lines were shipped", len(want))
	}
	if err := os.WriteFile(live, []byte(contractLine), 0o600); err != nil {
		t.Fatal(err)
	}
	agree(t, want, tried(t, cfg, func(x *Tester, out Output) (Summary, error) { return x.File(packed, cfg.Sources[0], out) }))
}

// What comes through a pipe is tried as it is shipped, too.
func TestPipeIsWhatIsShipped(t *testing.T) {
	t.Parallel()
	for _, c := range sameCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := c.make()
			cfg.Sources[0].Stdin = true
			want := shipped(t, cfg, strings.NewReader(c.in), 0, nil)
			agree(t, want, tried(t, cfg, func(x *Tester, out Output) (Summary, error) {
				return x.Stream(t.Context(), strings.NewReader(c.in), "-", cfg.Sources[0], out)
			}))
		})
	}
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding does not wait
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestSyslogIsWhatIsShipped sends a sample to a listener: with the header and without, framed both ways, cut.
func TestSyslogIsWhatIsShipped(t *testing.T) {
	t.Parallel()
	const counted = "<34>1 2026-11-21T10:00:00Z h app 1 ID - counted user offline"
	in := fmt.Sprintf("<34>1 2026-11-21T10:00:00Z h app 1 ID - user offline\n%d %s<13>Nov 21 10:00:00 h app: %s\n<13>Nov 21 10:00:00 h app: {\"action\":\"connect\"}\n",
		len(counted), counted, strings.Repeat("x", 2000))
	for _, format := range []string{"syslog", "im-json"} {
		conf := &syslog.Config{TCP: freeAddr(t)}
		conf.SetDefaults()
		conf.MaxMessage = 1000
		cfg := sameCase{}.make()
		cfg.Sources[0].Syslog, cfg.Sources[0].Format = conf, format
		got := tried(t, cfg, func(x *Tester, out Output) (Summary, error) {
			return x.Stream(t.Context(), strings.NewReader(in), "s", cfg.Sources[0], out)
		})
		for i := range got {
			got[i].Event = strings.ReplaceAll(got[i].Event, "syslog://sample", "syslog://127.0.0.1")
		}
		agree(t, shipped(t, cfg, nil, len(got), func() { dial(t, conf.TCP, in) }), got)
		if len(got) != 4 {
			t.Errorf("%s: %d messages", format, len(got))
		}
	}
}

// dial writes to who listens, as soon as somebody does.
func dial(tb testing.TB, addr, text string) {
	tb.Helper()
	for {
		c, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", addr)
		if err != nil {
			if tb.Context().Err() != nil {
				tb.Fatal(err)
			}
			continue
		}
		if _, err := io.WriteString(c, text); err != nil {
			tb.Fatal(err)
		}
		if err := c.Close(); err != nil {
			tb.Fatal(err)
		}
		return
	}
}

// TestBodyIsWhatIsShipped posts a sample.
func TestBodyIsWhatIsShipped(t *testing.T) {
	t.Parallel()
	conf := &httpin.Config{Listen: freeAddr(t)}
	conf.SetDefaults()
	cfg := sameCase{}.make()
	cfg.Sources[0].HTTP = conf
	in := "\ufeff" + contractLine + "{\r\n\n" + strings.Replace(contractLine, "u-1", strings.Repeat("u", 600_000), 1) + strings.TrimSpace(contractLine)
	got := tried(t, cfg, func(x *Tester, out Output) (Summary, error) {
		return x.Stream(t.Context(), strings.NewReader(in), "s", cfg.Sources[0], out)
	})
	for i := range got {
		got[i].Event = strings.ReplaceAll(got[i].Event, "http://sample", "http://127.0.0.1")
	}
	agree(t, shipped(t, cfg, nil, len(got), func() { post(t, "http://"+conf.Listen+conf.Path, in) }), got)
	if len(got) != 6 {
		t.Errorf("%d of 2 events and 4 letters", len(got))
	}
	conf.MaxBody = 64 << 10
	x, err := New(cfg, "h", quiet(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Stream(t.Context(), strings.NewReader(in), "s", cfg.Sources[0], Text(io.Discard)); err == nil || !strings.Contains(err.Error(), "413") {
		t.Errorf("a body that is too large: %v", err)
	}
}

func post(tb testing.TB, url, body string) {
	tb.Helper()
	for tb.Context().Err() == nil {
		r, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			tb.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			tb.Fatalf("answered %s", answer.Status)
		}
		return
	}
}

// TestPlacesAreTried has a database of addresses.
func TestPlacesAreTried(t *testing.T) {
	t.Parallel()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", IncludeReservedNetworks: true, RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("CN")}}); err != nil {
		t.Fatal(err)
	}
	var db bytes.Buffer
	if _, err := tree.WriteTo(&db); err != nil {
		t.Fatal(err)
	}
	path := write(t, "app.log", contractLine)
	cfg := sameCase{}.make(path)
	cfg.Geo.Files = []string{write(t, "city.mmdb", db.String())}
	want := shipped(t, cfg, nil, 0, nil)
	if len(want) != 1 || !strings.Contains(want[0].Event, `"CN"`) {
		t.Errorf("%+v", want)
	}
	agree(t, want, tried(t, cfg, func(x *Tester, out Output) (Summary, error) { return x.File(path, cfg.Sources[0], out) }))
}
