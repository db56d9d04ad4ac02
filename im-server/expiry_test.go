package imserver

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/factor"
	"imwatch/im-server/protocol"
	"imwatch/im-server/token"
)

// dialToken connects with a token and reads the hello.
func (f *fixture) dialToken(token string) *client {
	f.t.Helper()
	ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", "?token="+token), nil)
	if err != nil {
		f.t.Fatalf("dial: %v (%v)", err, res)
	}
	_ = res.Body.Close()
	f.t.Cleanup(func() { _ = ws.Close() })
	c := &client{Conn: ws, t: f.t}
	hello, ok := c.next().Payload.(*protocol.Hello)
	if !ok {
		f.t.Fatal("no hello came")
	}
	c.hello = *hello
	return c
}

func expiring(t *testing.T, user string, at time.Time) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": user, "exp": float64(at.UnixMilli()) / 1000})
}

// TestTokenEndsWhileTheConnectionIsOpen: it is closed then, and not if it brought another token before.
func TestTokenEndsWhileTheConnectionIsOpen(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.JWT.Leeway = 0
	f := serve(t, cfg, Deps{})
	end := time.Now().Add(2 * time.Second)
	gone, stays := f.dialToken(expiring(t, "gone", end)), f.dialToken(expiring(t, "stays", end))
	sooner := f.dialToken(expiring(t, "sooner", end.Add(time.Hour)))
	for c, tok := range map[*client]string{stays: expiring(t, "stays", end.Add(time.Hour)), sooner: expiring(t, "sooner", end)} {
		c.send(fmt.Sprintf(`{"v":1,"type":"auth","id":"a","payload":{"token":%q}}`, tok))
		if _, ok := c.next().Payload.(*protocol.Ack); !ok {
			t.Fatal("the new token was not taken")
		}
	}
	for _, c := range []*client{gone, sooner} {
		if ce := c.closed(); ce.Code != event.CloseAuthExpired.Code {
			t.Errorf("closed with %v", ce)
		}
		if time.Now().Before(end.Truncate(time.Second)) {
			t.Error("closed before the token's end")
		}
		want(t, f.end(c), map[event.FieldID]string{event.FieldCloseReason: "auth_expired", event.FieldCloseRetry: "backoff"})
	}
	stays.send(`{"v":1,"type":"ping","id":"p"}`)
	if e := stays.next(); e.Type != protocol.TypePong {
		t.Errorf("got %+v", e)
	}
	_ = stays.Close()
}

// TestRevokedWhileTheConnectionIsOpen: a list that changes ends the connections of which it says so, and no others.
func TestRevokedWhileTheConnectionIsOpen(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	list := writeFile(t, `{}`)
	cfg.JWT.Revoked = []string{list}
	f := serve(t, cfg, Deps{})
	with := func(user, id string) *client {
		return f.dialToken(sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{
			"sub": user, "jti": id, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		}))
	}
	one, other, user := with("ann", "t-1"), with("ann", "t-2"), with("bob", "t-3")
	text := fmt.Sprintf(`{"tokens": ["t-1"], "users": {"bob": %q}}`, time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{one, user} { // the file is looked at every 5 s
		if ce := c.closed(); ce.Code != event.CloseAuthRevoked.Code {
			t.Errorf("closed with %v", ce)
		}
		want(t, f.end(c), map[event.FieldID]string{event.FieldCloseReason: "auth_revoked", event.FieldCloseRetry: "never"})
	}
	other.send(`{"v":1,"type":"ping","id":"p"}`)
	if e := other.next(); e.Type != protocol.TypePong {
		t.Errorf("got %+v", e)
	}
	_ = other.Close()
}

// TestFirstEnvelopeRefused: the close code says what the client can do about it.
func TestFirstEnvelopeRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, token, code string
		setup             func(*Config)
		before            func(*fixture)
		reason            event.HandshakeReason
		close             event.CloseReason
	}{
		{name: "expired", token: expiring(t, "ann", time.Now().Add(-time.Hour)), reason: event.HandshakeTokenExpired, close: event.CloseAuthExpired},
		{name: "nonsense", token: "nonsense", reason: event.HandshakeTokenMalformed, close: event.CloseAuthRevoked},
		{name: "wrong code", token: tokenFor(t, "ann"), code: "123", reason: event.HandshakeSecondFactor, close: event.ClosePermission, setup: func(c *Config) {
			c.SecondFactor.TOTPFile = writeFile(t, "ann "+strings.Repeat("A", 32)+"\n")
		}},
		{name: "away", token: tokenFor(t, "ann"), reason: event.HandshakeDependency, close: event.CloseServerError, setup: func(c *Config) {
			c.JWT = token.Config{Issuers: []token.Issuer{{Issuer: "x", JWKS: "http://127.0.0.1:1/keys"}}}
		}},
		{name: "rate", token: tokenFor(t, "ann"), reason: event.HandshakeRateLimitedUser, close: event.CloseRateLimited, setup: func(c *Config) {
			c.Limits.UserConnectRate, c.Limits.UserConnectBurst = 0.001, 1
		}, before: func(f *fixture) { f.dial("ann") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			if tt.setup != nil {
				tt.setup(&cfg)
			}
			f := serve(t, cfg, Deps{})
			if tt.before != nil {
				tt.before(f)
			}
			tok := tt.token
			if tt.name == "away" {
				tok = sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "ann", "iss": "x", "exp": time.Now().Add(time.Hour).Unix()})
			}
			ws, res, err := websocket.DefaultDialer.Dial(f.url("ws", "?wait=1"), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			defer ws.Close()
			c := &client{Conn: ws, t: t}
			code := ""
			if tt.code != "" {
				code = fmt.Sprintf(`,"second_factor":%q`, tt.code)
			}
			c.send(fmt.Sprintf(`{"v":1,"type":"auth","id":"a","payload":{"token":%q%s}}`, tok, code))
			if ce := c.closed(); ce.Code != tt.close.Code {
				t.Errorf("closed with %v, want %d", ce, tt.close.Code)
			}
			want(t, f.log.action(t, event.ActionHandshakeFailure), map[event.FieldID]string{
				event.FieldEventReason: tt.reason.Reason, event.FieldHandshakeStage: tt.reason.Stage,
			})
		})
	}
}

// TestSecondFactor: the code is asked for once a token, and not where the token says that it was given.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	key := strings.Repeat("A", 32)
	cfg.SecondFactor.TOTPFile, cfg.SecondFactor.TOTPRequired = writeFile(t, "ann "+key+"\n"), true
	f := serve(t, cfg, Deps{})
	code, err := factor.Code(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tok := tokenFor(t, "ann")
	_ = f.dialToken(tok + "&second_factor=" + code).Close()
	_ = f.dialToken(tok).Close() // it comes back
	_ = f.dialToken(sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "bob", "amr": []string{"pwd", "mfa"}, "exp": time.Now().Add(time.Hour).Unix()})).Close()
	for _, tok := range []string{tokenFor(t, "bob"), expiring(t, "ann", time.Now().Add(time.Minute))} {
		if status, reason := f.refused(f.url("http", "?second_factor="+code), upgrade(tok)); status != 401 || reason != "second_factor" {
			t.Errorf("%d %s", status, reason)
		}
	}
}
