package webhook_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
	"imwatch/alerting/webhook"

	"pgregory.net/rapid"
)

func start(t *testing.T) *robot.Robot {
	t.Helper()
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func hook(t *testing.T, cfg webhook.Config) *webhook.Hook {
	t.Helper()
	if err := cfg.Validate("webhook"); err != nil {
		t.Fatal(err)
	}
	h, err := webhook.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func note() channel.Notification {
	return channel.Notification{
		ID: "n1", Receiver: "ops", Kind: channel.Firing, Line: []byte(`{"rule":{"id":"r"}}`),
		Message: channel.Message{Title: "[FIRING] r", Body: "text"},
	}
}

func TestSignedAndRecognisable(t *testing.T) {
	r := start(t)
	h := hook(t, webhook.Config{URL: r.WebhookURL(), Secret: "s3cret", Authorization: "Bearer tok", AllowPrivate: true, Headers: map[string]string{"X-Team": "im"}})
	r.Plan(robot.Webhook, robot.Answer{Status: 503, Header: map[string]string{"Retry-After": "3"}, Accept: true})
	if got := h.Send(t.Context(), note()); got.Verdict != channel.Retry || got.After != 3*time.Second {
		t.Errorf("503: %+v", got)
	}
	if got := h.Send(t.Context(), note()); got.Verdict != channel.Accepted {
		t.Errorf("%+v", got)
	}
	calls := r.Received()
	if len(calls) != 2 || !bytes.Equal(calls[0].Body, calls[1].Body) {
		t.Fatalf("the body differs between attempts: %s", calls)
	}
	c := calls[1]
	if err := webhook.Verify("s3cret", c.Header.Get(webhook.SignatureHeader), c.Body, time.Now(), time.Minute); err != nil {
		t.Errorf("signature: %v", err)
	}
	for name, want := range map[string]string{"Idempotency-Key": "n1", "Authorization": "Bearer tok", "X-Team": "im", "Content-Type": "application/json"} {
		if got := c.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	var body map[string]any
	if err := json.Unmarshal(c.Body, &body); err != nil || body["kind"] != "firing" || body["receiver"] != "ops" || body["alert"].(map[string]any)["rule"] == nil {
		t.Errorf("%s: %v", c.Body, err)
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		secret, body := rapid.String().Draw(t, "secret"), []byte(rapid.String().Draw(t, "body"))
		header := webhook.Sign(secret, now, body)
		if err := webhook.Verify(secret, header, body, now.Add(time.Minute), 5*time.Minute); err != nil {
			t.Fatalf("%v", err)
		}
		for name, err := range map[string]error{
			"another body":   webhook.Verify(secret, header, append([]byte("x"), body...), now, time.Minute),
			"another secret": webhook.Verify(secret+"x", header, body, now, time.Minute),
			"too old":        webhook.Verify(secret, header, body, now.Add(time.Hour), time.Minute),
			"another time":   webhook.Verify(secret, strings.Replace(header, "t=1790000000", "t=1790000001", 1), body, now, time.Minute),
			"no signature":   webhook.Verify(secret, "t=1790000000", body, now, time.Minute),
		} {
			if !errors.Is(err, webhook.ErrSignature) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

func TestSignatureIsTheDocumentedOne(t *testing.T) {
	// Computed with: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
	got := webhook.Sign("key", time.Unix(1_700_000_000, 0), []byte("{}"))
	if want := "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnswers(t *testing.T) {
	r := start(t)
	h := hook(t, webhook.Config{URL: r.WebhookURL(), Secret: "hush", AllowPrivate: true})
	for _, tc := range []struct {
		name   string
		answer robot.Answer
		want   channel.Verdict
	}{
		{"no content", robot.Answer{Status: 204}, channel.Accepted},
		{"bad request", robot.Answer{Status: 400, Body: "secret hush is wrong"}, channel.Permanent},
		{"conflict", robot.Answer{Status: 409}, channel.Permanent},
		{"too many", robot.Answer{Status: 429}, channel.Retry},
		{"server error", robot.Answer{Status: 500}, channel.Retry},
		{"moved", robot.Answer{Status: 307, Header: map[string]string{"Location": r.WebhookURL()}}, channel.Permanent},
	} {
		t.Run(tc.name, func(t *testing.T) {
			calls := r.Calls(robot.Webhook)
			r.Plan(robot.Webhook, tc.answer)
			got := h.Send(t.Context(), note())
			if got.Verdict != tc.want || strings.Contains(got.Words, "hush") {
				t.Errorf("got %+v, want %v", got, tc.want)
			}
			if n := r.Calls(robot.Webhook) - calls; n != 1 {
				t.Errorf("%d calls for one attempt", n)
			}
		})
	}
}

func TestPrivateTargetsAreRefused(t *testing.T) {
	r := start(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.WebhookURL(), "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		h := hook(t, webhook.Config{URL: "http://" + host + ":" + port})
		if got := h.Send(t.Context(), note()); got.Verdict == channel.Accepted {
			t.Errorf("%s was called: %+v", host, got)
		}
	}
	if n := r.Calls(robot.Webhook); n != 0 {
		t.Errorf("%d calls arrived", n)
	}
	got := hook(t, webhook.Config{URL: r.WebhookURL()}).Send(t.Context(), note())
	if !strings.Contains(got.Words, "allow_private") {
		t.Errorf("the words do not say what to do: %+v", got)
	}
}

func TestCertificateIsChecked(t *testing.T) {
	calls := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer s.Close()
	if got := hook(t, webhook.Config{URL: s.URL, AllowPrivate: true}).Send(t.Context(), note()); got.Verdict != channel.Retry || calls != 0 {
		t.Errorf("unknown authority: %+v, %d calls", got, calls)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := hook(t, webhook.Config{URL: s.URL, AllowPrivate: true, Network: egress.Network{CAFile: ca}}).Send(t.Context(), note()); got.Verdict != channel.Accepted {
		t.Errorf("known authority: %+v", got)
	}
}

func TestValidate(t *testing.T) {
	for url, want := range map[string]string{"": "w.url", "file:///etc/passwd": "w.url", "https://u:p@h/": "authorization", "://": "w.url"} {
		cfg := webhook.Config{URL: url}
		if err := cfg.Validate("w"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestCloudEvents: the event has what CloudEvents 1.0 demands, the same bytes in every attempt, and the signature holds.
func TestCloudEvents(t *testing.T) {
	var bodies [][]byte
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body) // a short body fails below
		bodies = append(bodies, b)
		if err := webhook.Verify("s3cret", q.Header.Get(webhook.SignatureHeader), b, time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
		if got := q.Header.Get("Content-Type"); got != "application/cloudevents+json; charset=UTF-8" {
			t.Error(got)
		}
	}))
	defer s.Close()
	cfg := webhook.DefaultConfig()
	cfg.URL, cfg.Format, cfg.Secret, cfg.AllowPrivate = s.URL, webhook.CloudEvents, "s3cret", true
	h := hook(t, cfg)
	for range 2 {
		if got := h.Send(t.Context(), note()); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
	}
	var e struct {
		Version, Source, Type, Subject, Time, ID string
		Spec                                     string `json:"specversion"`
		Data                                     struct{ ID, Title string }
	}
	if err := json.Unmarshal(bodies[0], &e); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339, e.Time); err != nil || e.Spec != "1.0" || e.Source != "/imwatch/alerting" || e.ID != note().ID || e.Type != "org.imwatch.alert.firing" || e.Data.ID != e.ID || e.Subject != note().Alert.ID {
		t.Errorf("%+v, %v", e, err)
	}
	if !bytes.Equal(bodies[0], bodies[1]) {
		t.Error("two attempts differ")
	}
}
