package oidc

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// TestTokens: whose each token is, or why it does not count.
func TestTokens(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(nil)
	public, err := x509.MarshalPKIXPublicKey(i.keys["one"].Public())
	if err != nil {
		t.Fatal(err)
	}
	confused := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	good := i.good(nil)
	for name, tt := range map[string]struct {
		token string
		want  string // NAME ROLE, or the reason
	}{
		"access token":           {good, "ann responder"},
		"ID token":               {i.good(map[string]any{"aud": "web", "azp": nil}), "ann responder"},
		"ID token, two aud":      {i.good(map[string]any{"aud": []string{"web", "x"}, "azp": "web"}), "ann responder"},
		"client_id for azp":      {i.good(map[string]any{"azp": nil, "client_id": "cli"}), "ann responder"},
		"highest role":           {i.good(map[string]any{"groups": []string{"oncall", "sre"}}), "ann admin"},
		"one group as text":      {i.good(map[string]any{"groups": "sre"}), "ann admin"},
		"everybody":              {i.good(map[string]any{"groups": nil}), "ann viewer"},
		"no name":                {i.good(map[string]any{"preferred_username": nil}), "u-1 responder"},
		"name of many lines":     {i.good(map[string]any{"preferred_username": "an\nn\u202e\x00"}), "ann responder"},
		"no name and no sub":     {i.good(map[string]any{"preferred_username": nil, "sub": nil}), "malformed"},
		"expired":                {i.good(map[string]any{"exp": i.at(-time.Minute)}), "expired"},
		"expired within skew":    {i.good(map[string]any{"exp": i.at(-59 * time.Second)}), "ann responder"},
		"never expires":          {i.good(map[string]any{"exp": nil}), "expired"},
		"exp is no time":         {i.good(map[string]any{"exp": "tomorrow"}), "malformed"},
		"exp out of reach":       {i.good(map[string]any{"exp": 1e30}), "malformed"},
		"exp with a fraction":    {i.good(map[string]any{"exp": float64(i.at(time.Hour)) + 0.5}), "ann responder"},
		"not yet":                {i.good(map[string]any{"nbf": i.at(61 * time.Second)}), "not_yet"},
		"not yet within skew":    {i.good(map[string]any{"nbf": i.at(time.Minute)}), "ann responder"},
		"made in the future":     {i.good(map[string]any{"iat": i.at(2 * time.Minute)}), "not_yet"},
		"wrong audience":         {i.good(map[string]any{"aud": "mail"}), "audience"},
		"no audience":            {i.good(map[string]any{"aud": nil}), "audience"},
		"of another client":      {i.good(map[string]any{"azp": "games"}), "client"},
		"of no client":           {i.good(map[string]any{"azp": nil}), "client"},
		"ID token, other azp":    {i.good(map[string]any{"aud": []string{"web", "x"}, "azp": "x"}), "client"},
		"another issuer":         {i.good(map[string]any{"iss": "https://example.org"}), "issuer"},
		"issuer with a slash":    {i.good(map[string]any{"iss": i.server.URL + "/"}), "issuer"},
		"another key, same id":   {i.token(jose.RS256, "one", newRSA(t), i.claims(nil)), "signature"},
		"another key, other id":  {i.token(jose.RS256, "two", newRSA(t), i.claims(nil)), "signature"},
		"another key, no id":     {i.token(jose.RS256, "", newRSA(t), i.claims(nil)), "signature"},
		"right key, no id":       {i.token(jose.RS256, "", i.keys["one"], i.claims(nil)), "ann responder"},
		"HMAC by the public key": {i.token(jose.HS256, "one", confused, i.claims(nil)), "algorithm"},
		"none":                   {i.unsigned(), "algorithm"},
		"changed claims":         {swap(good, i.good(map[string]any{"groups": []string{"sre"}})), "signature"},
		"no JWT":                 {"0123456789abcdef", "malformed"},
		"three parts of nothing": {"..", "malformed"},
		"five parts":             {"a.b.c.d.e", "malformed"},
		"large":                  {strings.Repeat("a", maxToken) + ".b.c", "malformed"},
	} {
		p, err := v.Check(t.Context(), tt.token)
		got := p.Name + " " + p.Role
		if err != nil {
			got = string(Why(err))
			if parts := strings.Split(tt.token, "."); len(parts) == 3 && len(parts[2]) > 10 && strings.Contains(err.Error(), parts[2]) {
				t.Errorf("%s: the token is in %v", name, err)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, tt.want)
		}
	}
}

// swap puts the claims of a token in the place of another one's.
func swap(into, from string) string {
	a, b := strings.Split(into, "."), strings.Split(from, ".")
	return a[0] + "." + b[1] + "." + a[2]
}

// TestClaimsOfOthers: roles below a path, as Keycloak has them, and names with dots in them.
func TestClaimsOfOthers(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(func(c *Config) { c.RolesClaim, c.NameClaim = "realm_access.roles", "https://example.org/name" })
	p, err := v.Check(t.Context(), i.good(map[string]any{"realm_access": map[string]any{"roles": []any{"sre", 7}}, "https://example.org/name": "li"}))
	if err != nil || p.Name != "li" || p.Role != "admin" || !p.Expires.Equal(i.clock().Add(time.Hour)) {
		t.Errorf("%+v, %v", p, err)
	}
	v = i.verifier(func(c *Config) { c.Roles = map[string][]string{"admin": {"sre"}} })
	if p, err := v.Check(t.Context(), i.good(nil)); err != nil || p.Role != "" {
		t.Errorf("without a group of the table: %+v, %v", p, err)
	}
	v = i.verifier(func(c *Config) { c.ClientIDs = nil })
	if _, err := v.Check(t.Context(), i.good(map[string]any{"azp": "any"})); err != nil {
		t.Errorf("where no clients are named: %v", err)
	}
	v = i.verifier(func(c *Config) { c.Audience = "" })
	if _, err := v.Check(t.Context(), i.good(nil)); Why(err) != Audience {
		t.Errorf("where only ID tokens count: %v", err)
	}
}

// TestKeysAreRenewed: a new key counts at once, one that was taken back no more after a while, and forged tokens do not make the
// provider be asked for each of them.
func TestKeysAreRenewed(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(nil)
	ask := func(want Reason, token string) {
		t.Helper()
		_, err := v.Check(t.Context(), token)
		if got := Why(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	old := i.good(nil)
	ask("", old)
	i.pass(keysAtMost)
	second := newEC(t)
	i.set("two", second)
	ask("", i.token(jose.ES256, "two", second, i.claims(nil)))
	if n := i.asked.Load(); n != 2 {
		t.Errorf("the provider was asked %d times for its keys, want 2", n)
	}
	var wg sync.WaitGroup
	for range 50 {
		forged := i.token(jose.RS256, "three", i.keys["one"], i.claims(nil))
		wg.Go(func() {
			if _, err := v.Check(context.Background(), forged); Why(err) != Signature {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := i.asked.Load(); n > 2 {
		t.Errorf("the provider was asked %d times after a flood, want 2", n)
	}
	i.drop("one")
	ask("", old) // known, and not asked again yet
	i.pass(keysEvery)
	_, asked := v.keys().known()
	if err := v.keys().renew(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	ask(Signature, old)
	swapped := newRSA(t) // a provider that calls its new key as the old one
	i.set("one", swapped)
	i.pass(keysAtMost)
	ask("", i.token(jose.RS256, "one", swapped, i.claims(nil)))
	i.away.Store(true)
	i.pass(keysAtMost)
	ask("", i.token(jose.RS256, "one", swapped, i.claims(nil)))
	ask(Signature, i.token(jose.RS256, "four", swapped, i.claims(nil)))
}

// TestProviderIsAwayAtTheStart: its tokens do not count until it is there, which is said and tried again.
func TestProviderIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.away.Store(true)
	v := i.verifier(nil)
	var said lines
	log := logrus.New()
	log.SetOutput(&said)
	v.log = log
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); v.Run(ctx) }()
	if _, err := v.Check(ctx, i.good(nil)); Why(err) != Unavailable || v.Ready() {
		t.Errorf("while it is away: %v", err)
	}
	if _, err := v.Check(ctx, i.good(map[string]any{"iss": "https://example.org"})); Why(err) != Issuer {
		t.Errorf("another provider's: %v", err)
	}
	said.until(t, "cannot be found")
	i.away.Store(false)
	said.until(t, "tokens of the OpenID Connect provider count")
	if p, err := v.Check(ctx, i.good(nil)); err != nil || p.Name != "ann" || !v.Ready() {
		t.Errorf("%+v, %v", p, err)
	}
	stop()
	<-done
	if n := strings.Count(said.all(), "cannot be found"); n != 1 {
		t.Errorf("said %d times that it is away", n)
	}
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return l.text.Write(b)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until waits for a line that has a text.
func (l *lines) until(t *testing.T, part string) {
	t.Helper()
	for {
		l.mu.Lock()
		if strings.Contains(l.text.String(), part) {
			l.mu.Unlock()
			return
		}
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatalf("never said %q: %s", part, l.all())
		}
	}
}

func TestBadConfigurationIsSaid(t *testing.T) {
	t.Parallel()
	roles := []string{"viewer", "responder", "admin"}
	good := func() Config {
		c := DefaultConfig()
		c.Issuer, c.Audience, c.Roles = "https://login.example.org/realm", "imwatch", map[string][]string{"viewer": {"*"}}
		return c
	}
	for want, change := range map[string]func(*Config){
		"":                                     func(*Config) {},
		"issuer: needed":                       func(c *Config) { c.Issuer = "" },
		`issuer: found "login", expected`:      func(c *Config) { c.Issuer = "login" },
		"issuer: found \"http://example.org\"": func(c *Config) { c.Issuer = "http://example.org" },
		"audience: audience or client_ids":     func(c *Config) { c.Audience = "" },
		"client_ids: found an empty one":       func(c *Config) { c.ClientIDs = []string{""} },
		"roles_claim: needed":                  func(c *Config) { c.RolesClaim = "" },
		"name_claim: needed":                   func(c *Config) { c.NameClaim = "" },
		"roles: at least one":                  func(c *Config) { c.Roles = nil },
		`roles: found "boss", expected viewer`: func(c *Config) { c.Roles["boss"] = []string{"x"} },
		"roles.admin: expected":                func(c *Config) { c.Roles["admin"] = nil },
		"skew: found 1h0m0s, expected 0 to 5m": func(c *Config) { c.Skew = time.Hour },
	} {
		c := good()
		change(&c)
		err := c.Validate(roles)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := DefaultConfig().Validate(roles); err != nil {
		t.Error(err)
	}
}

// FuzzCheck: no text that was not signed counts, and none makes it fail.
func FuzzCheck(f *testing.F) {
	i := &issuer{}
	i.now.Store(1_700_000_000)
	v := New(Config{Issuer: "https://example.org", Audience: "imwatch"}, nil, nil, i.clock, logrus.New())
	v.found = &keys{now: i.clock, asked: i.clock()}
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub3JnIn0.")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub3JnIn0.AAAA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if p, err := v.Check(t.Context(), token); err == nil {
			t.Fatalf("%q counts as %+v", token, p)
		} else if Why(err) == "" {
			t.Fatalf("no reason in %v", err)
		}
	})
}

func TestGroupsOfClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		claim any
		want  []string
	}{{"a", []string{"a"}}, {[]any{"a", 1, "b"}, []string{"a", "b"}}, {nil, nil}, {7, nil}, {map[string]any{}, nil}} {
		if diff := cmp.Diff(tt.want, groups(tt.claim)); diff != "" {
			t.Errorf("%v: -want +got\n%s", tt.claim, diff)
		}
	}
}
