package imserver

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/im-server/protocol"
	"imwatch/im-server/token"
)

// refused sends a request and gives the status and reason of its refusal.
func (f *fixture) refused(url string, header http.Header) (int, string) {
	f.t.Helper()
	status, reason, _ := f.refusal(http.MethodGet, url, header)
	return status, reason
}

func (f *fixture) refusal(method, url string, header http.Header) (int, string, http.Header) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, url, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = header
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	var body protocol.Refusal
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		f.t.Fatalf("status %d: %v", res.StatusCode, err)
	}
	return res.StatusCode, body.Reason, res.Header
}

// upgrade gives the headers of a good request to connect.
func upgrade(token string) http.Header {
	h := http.Header{
		"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
		"User-Agent": {"tester/1"}, "X-Device-Id": {"d-1"}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return h
}

// authFunc is an Authenticator.
type authFunc func(ctx context.Context, c Credentials) (Identity, error)

func (f authFunc) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	return f(ctx, c)
}

// writeFile makes a file for as long as the test lives.
func writeFile(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestEveryHandshakeReason refuses a handshake for each reason and wants the status, the body and the one line of it.
func TestEveryHandshakeReason(t *testing.T) {
	t.Parallel()
	claims := func(change func(jwt.MapClaims)) string {
		m := jwt.MapClaims{"sub": "u-1", "exp": time.Now().Add(time.Hour).Unix(), "aud": "im", "iss": "login"}
		change(m)
		return sign(t, jwt.SigningMethodHS256, []byte(secret), m)
	}
	good := claims(func(jwt.MapClaims) {})
	ago, ahead := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	without := func(key string) func(http.Header) { return func(h http.Header) { h.Del(key) } }
	with := func(key, value string) func(http.Header) { return func(h http.Header) { h.Set(key, value) } }
	anybody := authFunc(func(context.Context, Credentials) (Identity, error) { return Identity{UserID: "u-1"}, nil })
	one := func(f *fixture) { f.dial("u-1") }
	auth := func(f authFunc) func(*Config, *Deps) { return func(_ *Config, d *Deps) { d.Authenticator = f } }
	// The others come to no handler: TestRefusedEarly.
	covered := map[string]bool{event.HandshakeTLS.Reason: true, event.HandshakeTimeout.Reason: true}
	defer func() {
		for _, r := range event.HandshakeReasons() {
			if !covered[r.Reason] {
				t.Errorf("%s is never refused", r.Reason)
			}
		}
	}()
	for _, tt := range []struct {
		name   string
		reason event.HandshakeReason
		token  string
		method string
		query  string
		change func(http.Header)
		setup  func(*Config, *Deps)
		before func(*fixture)
		user   string
	}{
		{name: "address", reason: event.HandshakeIPDenied, token: good, setup: func(c *Config, _ *Deps) { c.Addresses.Deny = []string{"127.0.0.0/8"} }},
		{name: "address of a list", reason: event.HandshakeIPDenied, token: good, setup: func(c *Config, _ *Deps) {
			c.Addresses.DenyLists = []string{writeFile(t, "203.0.113.0/24 # bots\n127.0.0.1\n")}
		}},
		{name: "address of no list", reason: event.HandshakeIPDenied, token: good, setup: func(c *Config, _ *Deps) { c.Addresses.Allow = []string{"10.0.0.0/8"} }},
		{name: "address's rate", reason: event.HandshakeRateLimitedIP, token: good, setup: func(c *Config, d *Deps) {
			c.Limits.ConnectRate, c.Limits.ConnectBurst, d.Authenticator = 0.001, 1, anybody
		}, before: one},
		{name: "user's rate", reason: event.HandshakeRateLimitedUser, token: good, setup: func(c *Config, d *Deps) {
			c.Limits.UserConnectRate, c.Limits.UserConnectBurst, d.Authenticator = 0.001, 1, anybody
		}, before: one, user: "u-1"},
		{name: "draining", reason: event.HandshakeDraining, token: good, before: func(f *fixture) { f.draining.Store(true) }},
		{name: "revoked", reason: event.HandshakeTokenRevoked, token: claims(func(m jwt.MapClaims) { m["jti"] = "t-1" }), setup: func(c *Config, _ *Deps) {
			c.JWT.Revoked = []string{writeFile(t, `{"tokens": ["t-1"]}`)}
		}, user: "u-1"},
		{name: "no code", reason: event.HandshakeSecondFactor, token: good, setup: func(c *Config, _ *Deps) {
			c.SecondFactor.TOTPFile = writeFile(t, "u-1 "+strings.Repeat("A", 32)+"\n")
		}, user: "u-1"},
		{name: "second factor is away", reason: event.HandshakeDependency, token: good, setup: func(c *Config, _ *Deps) { c.SecondFactor.WebhookURL = "http://127.0.0.1:1/" }, user: "u-1"},
		{name: "two tokens", reason: event.HandshakeBadUpgrade, token: good, change: func(h http.Header) { h.Add("Authorization", "Bearer x") }},
		{name: "no upgrade", reason: event.HandshakeBadUpgrade, token: good, change: without("Upgrade")},
		{name: "bad key", reason: event.HandshakeBadUpgrade, token: good, change: with("Sec-WebSocket-Key", "short")},
		{name: "post", reason: event.HandshakeBadUpgrade, token: good, method: http.MethodPost},
		{name: "websocket version", reason: event.HandshakeUnsupportedVersion, token: good, change: with("Sec-WebSocket-Version", "8")},
		{name: "protocol version", reason: event.HandshakeUnsupportedVersion, token: good, query: "?v=2"},
		{name: "origin", reason: event.HandshakeOriginDenied, token: good, change: with("Origin", "https://evil.example")},
		{name: "full", reason: event.HandshakeNodeFull, setup: func(c *Config, d *Deps) {
			c.Limits.Connections, d.Authenticator = 1, anybody
		}, before: one},
		{name: "missing", reason: event.HandshakeTokenMissing},
		{name: "other scheme", reason: event.HandshakeTokenMissing, change: with("Authorization", "Basic eDp5")},
		{name: "malformed", reason: event.HandshakeTokenMalformed, token: "abc"},
		{name: "malformed in query", reason: event.HandshakeTokenMalformed, query: "?token=abc"},
		{name: "no sub", reason: event.HandshakeTokenMalformed, token: claims(func(m jwt.MapClaims) { delete(m, "sub") })},
		{name: "no exp", reason: event.HandshakeTokenMalformed, token: claims(func(m jwt.MapClaims) { delete(m, "exp") }), user: "u-1"},
		{name: "signature", reason: event.HandshakeTokenSignature, token: good[:len(good)-4] + "AAAA", user: "u-1"},
		{name: "expired", reason: event.HandshakeTokenExpired, token: claims(func(m jwt.MapClaims) { m["exp"] = ago }), user: "u-1"},
		{name: "not yet", reason: event.HandshakeTokenNotYetValid, token: claims(func(m jwt.MapClaims) { m["nbf"] = ahead }), user: "u-1"},
		{name: "audience", reason: event.HandshakeTokenAudience, token: claims(func(m jwt.MapClaims) { m["aud"] = "other" }), user: "u-1"},
		{name: "issuer", reason: event.HandshakeTokenAudience, token: claims(func(m jwt.MapClaims) { m["iss"] = "other" }), user: "u-1"},
		{name: "refused", reason: event.HandshakeCredentialsBad, setup: auth(func(context.Context, Credentials) (Identity, error) {
			return Identity{}, &AuthError{Reason: event.HandshakeCredentialsBad, UserID: "u-9"}
		}), user: "u-9"},
		{name: "dependency", reason: event.HandshakeDependency, setup: auth(func(ctx context.Context, _ Credentials) (Identity, error) {
			<-ctx.Done()
			return Identity{}, ctx.Err()
		})},
		{name: "internal", reason: event.HandshakeInternal, setup: auth(func(context.Context, Credentials) (Identity, error) { return Identity{}, errors.New("odd") })},
		{name: "panic", reason: event.HandshakeInternal, setup: auth(func(context.Context, Credentials) (Identity, error) { panic("boom") })},
		{name: "no identity", reason: event.HandshakeInternal, setup: auth(func(context.Context, Credentials) (Identity, error) { return Identity{}, nil })},
	} {
		covered[tt.reason.Reason] = true
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg, deps := testConfig(t), Deps{}
			cfg.JWT.Audience, cfg.JWT.Issuer, cfg.JWT.Leeway, cfg.Timeouts.Handshake = "im", "login", 0, 200*time.Millisecond
			if tt.setup != nil {
				tt.setup(&cfg, &deps)
			}
			f := serve(t, cfg, deps)
			if tt.before != nil {
				tt.before(f)
			}
			h := upgrade(tt.token)
			if tt.change != nil {
				tt.change(h)
			}
			method := http.MethodGet
			if tt.method != "" {
				method = tt.method
			}
			status, reason, got := f.refusal(method, f.url("http", tt.query), h)
			if status != tt.reason.Status || reason != tt.reason.Reason {
				t.Errorf("refused with %d %s, want %d %s", status, reason, tt.reason.Status, tt.reason.Reason)
			}
			if seconds, err := strconv.Atoi(got.Get("Retry-After")); (err == nil && seconds >= 1) != tt.reason.RetryAfter {
				t.Errorf("Retry-After is %q", got.Get("Retry-After"))
			}
			ev := f.log.action(t, event.ActionHandshakeFailure)
			want(t, ev, map[event.FieldID]string{
				event.FieldEventReason: reason, event.FieldHandshakeStage: tt.reason.Stage, event.FieldLogLevel: tt.reason.Level,
				event.FieldHTTPStatus: strconv.Itoa(status), event.FieldURLPath: protocol.Path, event.FieldHTTPMethod: method, event.FieldHTTPVersion: "1.1",
				event.FieldClientIP: "127.0.0.1", event.FieldUserAgent: "tester/1", event.FieldDeviceID: "d-1", event.FieldUserID: tt.user,
				event.FieldTraceID: "0af7651916cd43dd8448eb211c80319c", event.FieldParentID: "b7ad6b7169203331", event.FieldEventOutcome: "failure",
				event.FieldSampleWeight: "",
			})
			f.stop()
			if n := len(f.log.all(event.ActionHandshakeFailure)); n != 1 {
				t.Errorf("%d lines", n)
			}
			if n := len(f.log.all(event.ActionHTTPRequest)); n != 0 {
				t.Errorf("%d http_request lines beside it", n)
			}
		})
	}
}

func TestRefusalsByRateAreFolded(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.ConnectRate, cfg.Limits.ConnectBurst = 0.001, 2
	f := serve(t, cfg, Deps{})
	for i := range 12 {
		status, reason, h := f.refusal(http.MethodGet, f.url("http", ""), upgrade(""))
		switch {
		case i < 2 && reason != "token_missing":
			t.Errorf("request %d was refused with %d %s", i, status, reason)
		case i >= 2 && (status != 429 || reason != "rate_limited_ip" || h.Get("Retry-After") == ""):
			t.Errorf("request %d was refused with %d %s", i, status, reason)
		}
	}
	f.stop()
	var weights []float64
	for _, ev := range f.log.all(event.ActionHandshakeFailure) {
		if ev.Text(event.FieldEventReason) == "rate_limited_ip" {
			weights = append(weights, ev.Weight())
		}
	}
	if diff := cmp.Diff([]float64{1, 9}, weights); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}

func TestConnectTellsWhoAndHow(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.TrustedProxies, cfg.Zone = []string{"127.0.0.0/8"}, "zone-a"
	f := serve(t, cfg, Deps{Version: "1.2.3"})
	c := f.dialWith("u-1", http.Header{
		"X-Forwarded-For": {"203.0.113.9, 198.51.100.7"}, "X-Device-Id": {"d-1"}, "X-App-Version": {"9.1"}, "User-Agent": {"tester/1"},
		"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}, "?platform=ios&attempt=3&prev_reason=drain&prev_life_ms=1500")
	_, port, err := net.SplitHostPort(f.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ev := f.log.action(t, event.ActionConnect)
	want(t, ev, map[event.FieldID]string{
		event.FieldClientIP: "198.51.100.7", event.FieldClientPort: "", event.FieldDestinationPort: port, event.FieldUserID: "u-1", event.FieldDeviceID: "d-1",
		event.FieldPlatform: "ios", event.FieldAppVersion: "9.1", event.FieldUserAgent: "tester/1", event.FieldHTTPStatus: "101", event.FieldURLPath: "/ws/connect",
		event.FieldTraceID: "0af7651916cd43dd8448eb211c80319c", event.FieldParentID: "b7ad6b7169203331", event.FieldConnAttempt: "3", event.FieldConnPrevReason: "drain",
		event.FieldConnPrevLife: "1500", event.FieldConnID: c.hello.ConnectionID, event.FieldSessionID: c.hello.SessionID, event.FieldSessionResumed: "false",
		event.FieldServiceVersion: "1.2.3", event.FieldCloudZone: "zone-a", event.FieldServiceNode: "im-test", event.FieldLogLevel: "info",
	})
	if c.hello.HeartbeatMS != 30_000 || c.hello.ServerTime == 0 {
		t.Errorf("hello is %+v", c.hello)
	}
	// What is not in the list of reasons, or no number, is not repeated.
	other := f.dialWith("u-2", http.Header{"X-Forwarded-For": {"nonsense"}}, "?attempt=-1&prev_reason=%22%7Bx&prev_life_ms=x")
	ev = f.log.wait(t, "connect", func(ev *event.Event) bool {
		return ev.Text(event.FieldUserID) == "u-2" && ev.Text(event.FieldConnID) == other.hello.ConnectionID
	})
	want(t, ev, map[event.FieldID]string{event.FieldClientIP: "127.0.0.1", event.FieldConnAttempt: "", event.FieldConnPrevReason: "", event.FieldConnPrevLife: "", event.FieldParentID: ""})
}

func TestForwardedForIsBelievedFromProxiesOnly(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	f.dialWith("u-1", http.Header{"X-Forwarded-For": {"198.51.100.7"}}, "")
	ev := f.log.action(t, event.ActionConnect)
	want(t, ev, map[event.FieldID]string{event.FieldClientIP: "127.0.0.1"})
	if ev.Int(event.FieldClientPort) == 0 {
		t.Error("no client.port")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.TLS.CertFile, cfg.TLS.KeyFile = writeCertificate(t)
	f := serve(t, cfg, Deps{})
	if ev := f.log.action(t, event.ActionServerStart); !ev.Has(event.FieldTLSNotAfter) {
		t.Error("server_start does not say when the certificate ends")
	}
	nc, err := net.Dial("tcp", f.Addr()) //nolint:noctx // a bare peer that does not know TLS
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("GET /ws/connect HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	ev := f.log.action(t, event.ActionHandshakeFailure)
	want(t, ev, map[event.FieldID]string{event.FieldEventReason: "tls", event.FieldHandshakeStage: "tls", event.FieldClientIP: "127.0.0.1", event.FieldHTTPStatus: ""})
	if err := nc.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAccessLogAndOps(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	get := func(url string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{DisableKeepAlives: true}
		res, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body [64 << 10]byte
		n, _ := res.Body.Read(body[:]) // the first bytes will do
		return res.StatusCode, string(body[:n])
	}
	if status, _ := get("http://" + f.Addr() + "/metrics?token=abc"); status != 404 {
		t.Errorf("the clients' listener answers /metrics with %d", status)
	}
	want(t, f.log.action(t, event.ActionHTTPRequest), map[event.FieldID]string{
		event.FieldEventDataset: "im.http", event.FieldHTTPStatus: "404", event.FieldURLPath: "/metrics", event.FieldEventOutcome: "failure", event.FieldLogLevel: "info",
	})
	for path, wanted := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/debug/pprof/": 200, "/debug/pprof/goroutine": 200, "/": 404} {
		if status, _ := get("http://" + f.OpsAddr() + path); status != wanted {
			t.Errorf("%s answers %d, want %d", path, status, wanted)
		}
	}
	f.ready.Store(false)
	if status, body := get("http://" + f.OpsAddr() + "/readyz"); status != 503 || body != "starting\n" {
		t.Errorf("/readyz answers %d %q before the start", status, body)
	}
	f.ready.Store(true)
}

func TestConfigurationFaultsNameTheirKey(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	if err := c.Validate(); err == nil || err.Error() != "jwt: at least one key under keys, or one of issuers, is needed" {
		t.Errorf("the defaults have the fault %v", err)
	}
	c = Config{Addr: "x", Node: "a b", Origins: []string{"example.org"}, TrustedProxies: []string{"proxy"}, TLS: TLSConfig{CertFile: "c"}}
	c.JWT = token.Config{Keys: []token.Key{{Algorithm: "HS256", Secret: "short"}, {Algorithm: "none"}, {ID: "r", Algorithm: "RS256", Secret: "s"}}, Leeway: -1}
	err := c.Validate()
	for _, key := range []string{
		"addr:", "node:", "origins[0]:", "trusted_proxies[0]:", "tls:", "jwt.keys[0].secret:", "jwt.keys[0].id:", "jwt.keys[1].id:", "jwt.keys[1].algorithm:",
		"jwt.keys[2].file:", "jwt.keys[2].secret:", "jwt.leeway:", "limits.connections:", "limits.rooms:", "heartbeat.interval:", "heartbeat.max_missed:", "timeouts.write:",
		"drain.timeout:", "drain.rate:", "log.max_bytes:", "log.max_age:", "log.queue:", "log.level:",
	} {
		if !hasLine(err, key) {
			t.Errorf("no fault of %s in\n%v", key, err)
		}
	}
	good := testConfig(t)
	good.JWT.Keys = []token.Key{{Algorithm: "EdDSA", File: "/nowhere/key.pem"}}
	if _, err := New(good, Deps{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing key file gives %v", err)
	}
}
