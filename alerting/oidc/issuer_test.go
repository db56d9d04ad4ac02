package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-jose/go-jose/v4"
	"github.com/sirupsen/logrus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer is a small provider with real keys, in memory.
type issuer struct {
	t      *testing.T
	server *httptest.Server
	now    atomic.Int64 // seconds since 1970
	away   atomic.Bool
	asked  atomic.Int32 // for keys

	mu   sync.Mutex
	keys map[string]crypto.Signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, keys: map[string]crypto.Signer{}}
	i.now.Store(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC).Unix())
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{
			"issuer": i.server.URL, "jwks_uri": i.server.URL + "/keys", "authorization_endpoint": i.server.URL + "/a", "token_endpoint": i.server.URL + "/t",
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		var set jose.JSONWebKeySet
		for id, k := range i.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: id, Use: "sig"})
		}
		i.answer(w, set)
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	i.set("one", newRSA(t))
	return i
}

func (i *issuer) answer(w http.ResponseWriter, v any) {
	if i.away.Load() {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		i.t.Error(err)
	}
}

func (i *issuer) set(id string, k crypto.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[id] = k
}

func (i *issuer) drop(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, id)
}

func (i *issuer) clock() time.Time         { return time.Unix(i.now.Load(), 0).UTC() }
func (i *issuer) pass(d time.Duration)     { i.now.Add(int64(d / time.Second)) }
func (i *issuer) at(d time.Duration) int64 { return i.now.Load() + int64(d/time.Second) }

func newRSA(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newEC(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// claims are those of a good token, with changes; a nil value takes one out.
func (i *issuer) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.server.URL, "sub": "u-1", "aud": "imwatch", "azp": "cli", "exp": i.at(time.Hour), "iat": i.at(0),
		"preferred_username": "ann", "groups": []string{"staff", "oncall"},
	}
	for k, v := range changes {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

// token signs claims with a key under an id.
func (i *issuer) token(alg jose.SignatureAlgorithm, id string, key any, claims map[string]any) string {
	i.t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		i.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// good signs claims with the key "one".
func (i *issuer) good(changes map[string]any) string {
	i.mu.Lock()
	key := i.keys["one"]
	i.mu.Unlock()
	return i.token(jose.RS256, "one", key, i.claims(changes))
}

// unsigned gives a token of the algorithm none.
func (i *issuer) unsigned() string {
	payload, err := json.Marshal(i.claims(nil))
	if err != nil {
		i.t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none","kid":"one"}`)) + "." + b64(payload) + "."
}

func (i *issuer) config() Config {
	c := DefaultConfig()
	c.Issuer, c.Audience, c.ClientIDs = i.server.URL, "imwatch", []string{"cli", "web"}
	c.Roles = map[string][]string{"admin": {"sre"}, "responder": {"oncall"}, "viewer": {"*"}}
	return c
}

// verifier makes one that has found the provider, unless that is away.
func (i *issuer) verifier(change func(*Config)) *Verifier {
	i.t.Helper()
	c := i.config()
	if change != nil {
		change(&c)
	}
	if err := c.Validate([]string{"viewer", "responder", "admin"}); err != nil {
		i.t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	v := New(c, []string{"viewer", "responder", "admin"}, i.server.Client(), i.clock, log)
	if err := v.find(i.t.Context()); err != nil && !i.away.Load() {
		i.t.Fatal(err)
	}
	return v
}
