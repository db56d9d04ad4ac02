package email_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/smtpd"
	"imwatch/alerting/channel"
	"imwatch/alerting/email"
	"imwatch/event"

	"github.com/emersion/go-smtp"
)

func start(t *testing.T, opts smtpd.Options) (*smtpd.Server, email.Config) {
	t.Helper()
	s, err := smtpd.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := email.DefaultConfig()
	cfg.Host, cfg.Port, cfg.CAFile = s.Host(), s.Port(), ca
	cfg.From, cfg.To = "imwatch <watch@example.org>", []string{"ops@example.org", "boss@example.org"}
	return s, cfg
}

func send(t *testing.T, cfg email.Config, n channel.Notification) channel.Result {
	t.Helper()
	if err := cfg.Validate("email"); err != nil {
		t.Fatal(err)
	}
	m, err := email.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return m.Send(ctx, n)
}

func note() channel.Notification {
	return channel.Notification{
		ID: "5fd0c9a1", Kind: channel.Firing, Alert: event.Alert{ID: "a1b2", Severity: "critical"},
		Message: channel.Message{Title: "[FIRING][critical] 握手失败 — client.ip=192.0.2.1", Body: "text part 告警", HTML: "<p>html part 告警</p>"},
	}
}

func TestConversations(t *testing.T) {
	for name, tc := range map[string]struct {
		opts smtpd.Options
		tls  string
		auth bool
	}{
		"STARTTLS with authentication": {smtpd.Options{Username: "watch", Password: "pa55"}, email.StartTLS, true},
		"implicit TLS with auth":       {smtpd.Options{Implicit: true, Username: "watch", Password: "pa55"}, email.Implicit, true},
		"STARTTLS":                     {smtpd.Options{}, email.StartTLS, false},
		"in the clear, if asked for":   {smtpd.Options{Plain: true}, email.None, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, cfg := start(t, tc.opts)
			cfg.TLS = tc.tls
			if tc.auth {
				cfg.Username, cfg.Password = "watch", "pa55"
			}
			if got := send(t, cfg, note()); got.Verdict != channel.Accepted || !slices.Equal(got.Took, cfg.To) {
				t.Fatalf("%+v", got)
			}
			got := s.Received()
			if len(got) != 1 || got[0].TLS != (tc.tls != email.None) || (got[0].User == "watch") != tc.auth || !slices.Equal(got[0].To, cfg.To) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestMailAsItArrives(t *testing.T) {
	s, cfg := start(t, smtpd.Options{})
	firing, resolved := note(), note()
	resolved.ID, resolved.Kind = "77aa", channel.Resolved
	for _, n := range []channel.Notification{firing, firing, resolved} {
		if got := send(t, cfg, n); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
	}
	var mails []*mail.Message
	for _, m := range s.Received() {
		parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		mails = append(mails, parsed)
	}
	h := mails[0].Header
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || subject != firing.Message.Title {
		t.Errorf("subject %q: %v", subject, err)
	}
	if h.Get("Message-ID") != "<5fd0c9a1@example.org>" || mails[1].Header.Get("Message-ID") != h.Get("Message-ID") {
		t.Errorf("Message-ID %s is not the notification's", h.Get("Message-ID"))
	}
	if mails[2].Header.Get("Message-ID") == h.Get("Message-ID") || mails[2].Header.Get("References") != h.Get("References") || h.Get("In-Reply-To") != "<alert.a1b2@example.org>" {
		t.Errorf("the states are no thread: %v, %v", h, mails[2].Header)
	}
	if h.Get("Auto-Submitted") != "auto-generated" || h.Get("Importance") == "" || mails[2].Header.Get("Importance") != "" {
		t.Errorf("%v", h)
	}
	checkParts(t, mails[0])
}

func checkParts(t *testing.T, m *mail.Message) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"text part 告警", "<p>html part 告警</p>"} {
		p, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || strings.TrimSpace(string(b)) != want {
			t.Errorf("part %q: %v", b, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	reject := func(code int) func(smtpd.Mail) error {
		return func(smtpd.Mail) error { return &smtp.SMTPError{Code: code, Message: "no"} }
	}
	for name, tc := range map[string]struct {
		opts   smtpd.Options
		change func(*email.Config)
		want   channel.Verdict
		words  string
	}{
		"greylisted":          {smtpd.Options{Data: reject(451)}, nil, channel.Retry, "451"},
		"refused for good":    {smtpd.Options{Data: reject(554)}, nil, channel.Permanent, "554"},
		"wrong password":      {smtpd.Options{Username: "watch", Password: "pa55"}, func(c *email.Config) { c.Username, c.Password = "watch", "wr0ng" }, channel.Permanent, "535"},
		"auth is needed":      {smtpd.Options{Username: "watch", Password: "pa55"}, nil, channel.Permanent, "502"},
		"no STARTTLS offered": {smtpd.Options{Plain: true}, nil, channel.Retry, "STARTTLS"},
		"unknown authority":   {smtpd.Options{}, func(c *email.Config) { c.CAFile = "" }, channel.Retry, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			s, cfg := start(t, tc.opts)
			if tc.change != nil {
				tc.change(&cfg)
			}
			got := send(t, cfg, note())
			if got.Verdict != tc.want || !strings.Contains(got.Words, tc.words) || strings.Contains(got.Words, "wr0ng") {
				t.Errorf("%+v, want %v with %q", got, tc.want, tc.words)
			}
			if n := len(s.Received()); n != 0 {
				t.Errorf("%d mails arrived", n)
			}
		})
	}
}

func TestOneWrongAddressKeepsItFromNobodyElse(t *testing.T) {
	code := 550
	s, cfg := start(t, smtpd.Options{Rcpt: func(to string) error {
		if to == "ops@example.org" && code != 0 {
			return &smtp.SMTPError{Code: code, Message: "mailbox"}
		}
		return nil
	}})
	if got := send(t, cfg, note()); got.Verdict != channel.Partial || !slices.Equal(got.Took, []string{"boss@example.org"}) {
		t.Errorf("%+v", got)
	}
	code = 450
	n := note()
	got := send(t, cfg, n)
	if got.Verdict != channel.Retry || !slices.Equal(got.Took, []string{"boss@example.org"}) {
		t.Errorf("%+v", got)
	}
	code, n.Done = 0, got.Took
	if got := send(t, cfg, n); got.Verdict != channel.Accepted || !slices.Equal(got.Took, []string{"ops@example.org"}) {
		t.Errorf("%+v", got)
	}
	var to []string
	for _, m := range s.Received() {
		to = append(to, m.To...)
	}
	if want := []string{"boss@example.org", "boss@example.org", "ops@example.org"}; !slices.Equal(to, want) {
		t.Errorf("told %v", to)
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	cfg := email.DefaultConfig()
	cfg.Host, cfg.Port, cfg.From, cfg.To = "127.0.0.1", 1, "a@example.org", []string{"b@example.org"}
	if got := send(t, cfg, note()); got.Verdict != channel.Retry {
		t.Errorf("%+v", got)
	}
}

// A server that takes the whole mail and then says nothing: it may have it.
func TestServerThatNeverAnswers(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		mute(c)
	}()
	cfg := email.DefaultConfig()
	cfg.Host, cfg.Port, cfg.TLS, cfg.From, cfg.To = "127.0.0.1", l.Addr().(*net.TCPAddr).Port, email.None, "a@example.org", []string{"b@example.org"}
	m, err := email.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := m.Send(ctx, note()); got.Verdict != channel.Unanswered {
		t.Errorf("%+v", got)
	}
	_ = l.Close()
	<-done
}

// mute speaks SMTP up to the end of the mail's content.
func mute(c net.Conn) {
	_, _ = io.WriteString(c, "220 mute\r\n")
	buf := make([]byte, 64<<10)
	data := false
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		switch {
		case data: // and no answer
		case bytes.HasPrefix(buf[:n], []byte("DATA")):
			data = true
			_, _ = io.WriteString(c, "354 go on\r\n")
		default:
			_, _ = io.WriteString(c, "250 ok\r\n")
		}
	}
}

func TestHeadersCannotBeInjected(t *testing.T) {
	s, cfg := start(t, smtpd.Options{})
	n := note()
	n.Message.Title, n.Alert.ID = "x\r\nBcc: evil@example.org", "a\r\nX-Evil: 1"
	if got := send(t, cfg, n); got.Verdict != channel.Accepted {
		t.Fatalf("%+v", got)
	}
	m, err := mail.ReadMessage(bytes.NewReader(s.Received()[0].Data))
	if err != nil || m.Header.Get("Bcc") != "" || m.Header.Get("X-Evil") != "" {
		t.Errorf("%v: %v", m.Header, err)
	}
}

func TestValidate(t *testing.T) {
	cfg := email.Config{TLS: "maybe", Port: 70000, Username: "u", From: "nobody", To: []string{"x"}}
	err := cfg.Validate("m")
	for _, want := range []string{"m.host", "m.port", "m.tls", "m.password", "m.from", "m.to[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	open := email.Config{Host: "h", TLS: email.None, Username: "u", Password: "p", From: "a@b.c", To: []string{"a@b.c"}}
	if err := open.Validate("m"); err == nil || !strings.Contains(err.Error(), "in the clear") {
		t.Errorf("%v", err)
	}
}

// TestPicture: the HTML shows the picture that is inside the mail, and the text has it as a line.
func TestPicture(t *testing.T) {
	s, cfg := start(t, smtpd.Options{})
	for _, there := range []bool{true, false} {
		m, err := email.New(cfg, nil, func(_ context.Context, a *event.Alert) (email.Picture, bool) {
			return email.Picture{PNG: []byte("\x89PNG of " + a.ID), Line: "▁▂▇", Alt: "14:00 – 14:05"}, there
		})
		if err != nil {
			t.Fatal(err)
		}
		n := note()
		n.Message.HTML = "<p>html</p>" + channel.PictureMark
		if got := m.Send(t.Context(), n); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
		ms := s.Received()
		msg, err := mail.ReadMessage(bytes.NewReader(ms[len(ms)-1].Data))
		if err != nil {
			t.Fatal(err)
		}
		parts := map[string]string{}
		leaves(t, msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), "", msg.Body, parts)
		if has := strings.Contains(parts["text/html"], `<img src="cid:chart.5fd0c9a1" alt="14:00 – 14:05"`); has != there || strings.Contains(parts["text/html"], "\u2063") {
			t.Errorf("html: %q", parts["text/html"])
		}
		if has := strings.Contains(parts["text/plain"], "▁▂▇"); has != there {
			t.Errorf("text: %q", parts["text/plain"])
		}
		if has := parts["image/png <chart.5fd0c9a1>"] == "\x89PNG of a1b2"; has != there {
			t.Errorf("parts: %q", parts)
		}
	}
}

// leaves collects the decoded parts of a message by type and content id.
func leaves(t *testing.T, contentType, encoding, id string, body io.Reader, into map[string]string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err != nil {
				return
			}
			leaves(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-ID"), p, into)
		}
	}
	switch encoding {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	into[strings.TrimSpace(kind+" "+id)] = strings.TrimSpace(string(b))
}
