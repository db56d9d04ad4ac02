package httpin

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/shipper/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "s3cret-of-senders"

// bench is a server and what it has given.
type bench struct {
	t    *testing.T
	url  string
	stop func()

	mu     sync.Mutex // guards the fields below
	chunks []input.Chunk
	hold   bool // nothing is acknowledged
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1:0", Token: token}
	cfg.SetDefaults()
	if change != nil {
		change(&cfg)
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	s, err := Listen(Options{Config: cfg, Log: quiet, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, url: "http://" + s.Addr().String() + cfg.Path}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, b.give) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bench) give(_ context.Context, c input.Chunk) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chunks = append(b.chunks, c)
	if !b.hold {
		c.Done()
	}
	return nil
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (b *bench) post(body string, header ...string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.do(r)
}

func (b *bench) do(r *http.Request) reply {
	b.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{resp.StatusCode, strings.TrimSpace(string(text)), resp.Header}
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestLinesAreTakenAndAcknowledged(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, x := range []struct{ body, key, encoding string }{
		{"{\"a\":1}\n{\"b\":2}\n", "", ""}, {"{\"a\":1}\n{\"b\":2}\n", "", "gzip"}, {"{\"a\":1}\n{\"b\":2}", "k1", ""}, {"", "", ""},
	} {
		body := x.body
		if x.encoding != "" {
			body = packed(body)
		}
		want := `{"lines":2}`
		if x.body == "" {
			want = `{"lines":0}`
		}
		if r := b.post(body, headerKey, x.key, "Content-Encoding", x.encoding); r.status != 200 || r.body != want {
			t.Errorf("%+v: %+v", x, r)
		}
	}
	if len(b.chunks) != 3 {
		t.Fatalf("%d chunks", len(b.chunks))
	}
	one := b.chunks[0]
	if one.From != "http://127.0.0.1" || len(one.Lines) != 2 || one.Lines[1] != (input.Line{Text: `{"b":2}`, Offset: 8}) {
		t.Errorf("%+v", one)
	}
	if b.chunks[1].Origin != one.Origin || b.chunks[2].Origin != "http-key-k1" {
		t.Errorf("the same body is not recognised: %s, %s, %s", one.Origin, b.chunks[1].Origin, b.chunks[2].Origin)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.MaxBody, c.MaxPending = 64<<10, 100<<10 })
	large := strings.Repeat("x", 65<<10)
	for name, c := range map[string]struct {
		reply  reply
		status int
		header string
		why    string
	}{
		"no token":        {b.post("a", "Authorization", "-"), 401, "Www-Authenticate", "a bearer token is needed"},
		"wrong token":     {b.post("a", "Authorization", "Bearer x"), 401, "Www-Authenticate", "a bearer token is needed"},
		"large":           {b.post(large), 413, "", "allowed are 65536 bytes"},
		"large, unpacked": {b.post(packed(large), "Content-Encoding", "gzip"), 413, "", "allowed are 65536 bytes"},
		"encoding":        {b.post("a", "Content-Encoding", "br"), 415, "", "allowed are gzip and identity"},
		"no gzip":         {b.post("no gzip", "Content-Encoding", "gzip"), 400, "", "the body cannot be read"},
		"torn gzip":       {b.post(packed("abc")[:20], "Content-Encoding", "gzip"), 400, "", "the body cannot be read"},
		"key":             {b.post("a", headerKey, strings.Repeat("k", 256)), 400, "", "allowed are 255"},
	} {
		if c.reply.status != c.status || !strings.Contains(c.reply.body, c.why) || c.header != "" && c.reply.header.Get(c.header) == "" {
			t.Errorf("%s: %+v", name, c.reply)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if got := b.do(r); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("%+v", got)
	}
	if len(b.chunks) != 0 {
		t.Errorf("%d chunks were given", len(b.chunks))
	}
}

// While nothing is acknowledged a request is told to come again, and so are those for which there is no room.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.MaxBody, c.MaxPending, c.AckTimeout = 64<<10, 64<<10, 200*time.Millisecond })
	b.hold = true
	if r := b.post("a\n"); r.status != 503 || r.header.Get("Retry-After") != "2" || !strings.Contains(r.body, "send them again") {
		t.Errorf("%+v", r)
	}
	first, second := make(chan reply), make(chan reply)
	body := strings.Repeat("x", 40<<10)
	go func() { first <- b.post(body) }()
	go func() { second <- b.post(body) }()
	got := []int{(<-first).status, (<-second).status}
	if got[0] != 429 && got[1] != 429 && (got[0] != 503 || got[1] != 503) {
		t.Errorf("%v", got)
	}
	b.mu.Lock()
	b.hold = false
	b.mu.Unlock()
	if r := b.post("a\n"); r.status != 200 {
		t.Errorf("room is not given back: %+v", r)
	}
}

// Whoever waits when the shipper ends is told to come again.
func TestEndingAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.hold = true
	answer := make(chan reply)
	go func() { answer <- b.post("a\n") }()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(time.Millisecond); ; {
		b.mu.Lock()
		there := len(b.chunks) > 0
		b.mu.Unlock()
		if there {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing came")
		}
	}
	go b.stop()
	if r := <-answer; r.status != 503 || !strings.Contains(r.body, "ending") {
		t.Errorf("%+v", r)
	}
	b.stop()
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	c := &Config{Listen: ":8089", Path: "x", MaxBody: 1, MaxPending: 0, AckTimeout: 1, RetryAfter: 1}
	c.TLS.Cert = "cert.pem"
	err := c.Validate()
	for _, want := range []string{"path: found", "token: one is needed", "tls: both cert and key", "max_body: found 1", "max_pending: found 0", "ack_timeout: found", "retry_after: found"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	c = &Config{Listen: "127.0.0.1:8089"}
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.TLS.Cert, c.TLS.Key = "missing.pem", "missing.pem"
	if _, err := Listen(Options{Config: *c, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "tls.cert") {
		t.Error(err)
	}
}

// Lines and their offsets are the body, whatever it is.
func FuzzSplit(f *testing.F) {
	f.Add("a\n\nb\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		for _, l := range split(body) {
			if body[l.Offset:l.Offset+int64(len(l.Text))] != l.Text || strings.Contains(l.Text, "\n") {
				t.Fatalf("%+v in %q", l, body)
			}
		}
	})
}
