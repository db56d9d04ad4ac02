package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"imwatch/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func ecKey(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writePublic(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "public.pem")
	put(t, path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return path
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func make1(t *testing.T, c Config, o Options) *Verifier {
	t.Helper()
	if faults := c.Validate(); len(faults) > 0 {
		t.Fatal(faults)
	}
	v, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(t *testing.T, method jwt.SigningMethod, kid any, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "u-1", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	if change != nil {
		change(claims)
	}
	unsigned := jwt.NewWithClaims(method, claims)
	if kid != nil {
		unsigned.Header["kid"] = kid
	}
	s, err := unsigned.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reason gives what a token is refused for; "" if it is good.
func reason(t *testing.T, v *Verifier, token string) string {
	t.Helper()
	c, err := v.Verify(t.Context(), token)
	if err == nil {
		if c.User != "u-1" {
			t.Errorf("the user is %q", c.User)
		}
		return ""
	}
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is no *Error", err)
	}
	if len(token) > 20 && strings.Contains(err.Error(), token[:20]) {
		t.Errorf("%v repeats the token", err)
	}
	return refused.Reason.Reason
}

// TestAlgorithms lets each in by its own key, and no token by a key of another algorithm.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	p256, p384 := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaFile := writePublic(t, &rsaKey().PublicKey)
	var c Config
	private := map[string]any{}
	for name, a := range algorithms {
		k := Key{ID: name, Algorithm: name}
		switch {
		case a.secret > 0:
			k.Secret, private[name] = secret, []byte(secret)
		case a.kty == "RSA":
			k.File, private[name] = rsaFile, rsaKey()
		case name == "ES256":
			k.File, private[name] = writePublic(t, p256.Public()), p256
		case name == "ES384":
			k.File, private[name] = writePublic(t, p384.Public()), p384
		default:
			k.File, private[name] = writePublic(t, edPublic), ed
		}
		c.Keys = append(c.Keys, k)
	}
	v := make1(t, c, Options{})
	for signer := range algorithms {
		token := map[string]string{}
		for kid := range algorithms {
			token[kid] = sign(t, jwt.GetSigningMethod(signer), kid, private[signer], nil)
		}
		for kid := range algorithms {
			want := event.HandshakeTokenSignature.Reason
			if kid == signer {
				want = ""
			}
			if got := reason(t, v, token[kid]); got != want {
				t.Errorf("%s for the key %s: %q, want %q", signer, kid, got, want)
			}
		}
	}
}

// TestAttacks tries to be let in with tokens that a careless verifier takes.
func TestAttacks(t *testing.T) {
	t.Parallel()
	edPublic, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaFile := writePublic(t, &rsaKey().PublicKey)
	v := make1(t, Config{Keys: []Key{
		{ID: "h", Algorithm: "HS256", Secret: secret}, {ID: "r", Algorithm: "RS256", File: rsaFile}, {ID: "e", Algorithm: "EdDSA", File: writePublic(t, edPublic)},
	}}, Options{})
	public, err := os.ReadFile(rsaFile)
	if err != nil {
		t.Fatal(err)
	}
	hs, rs := sign(t, jwt.SigningMethodHS256, "h", []byte(secret), nil), sign(t, jwt.SigningMethodRS256, "r", rsaKey(), nil)
	admin := sign(t, jwt.SigningMethodHS256, "h", []byte("another secret"), func(m jwt.MapClaims) { m["sub"] = "admin" })
	hand := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Split(rs, ".")[1] + "."
	}
	crit := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u-1", "exp": time.Now().Add(time.Hour).Unix()})
	crit.Header["kid"], crit.Header["crit"] = "h", []string{"b64"}
	critical, err := crit.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ token, want string }{
		"good":                           {hs, ""},
		"good RS256":                     {rs, ""},
		"alg none":                       {sign(t, jwt.SigningMethodNone, "h", jwt.UnsafeAllowNoneSignatureType, nil), "token_signature"},
		"alg none, spelled oddly":        {hand(`{"alg":"NoNe","kid":"r"}`), "token_signature"},
		"no alg":                         {hand(`{"kid":"r"}`), "token_signature"},
		"alg of another type":            {hand(`{"alg":["RS256"],"kid":"r"}`), "token_signature"},
		"signature left out":             {rs[:strings.LastIndexByte(rs, '.')+1], "token_signature"},
		"public key as a secret":         {sign(t, jwt.SigningMethodHS256, "r", public, nil), "token_signature"},
		"public key's bytes as a secret": {sign(t, jwt.SigningMethodHS256, "e", []byte(edPublic), nil), "token_signature"},
		"other algorithm of the family":  {sign(t, jwt.SigningMethodHS512, "h", []byte(secret), nil), "token_signature"},
		"PS256 for RS256":                {sign(t, jwt.SigningMethodPS256, "r", rsaKey(), nil), "token_signature"},
		"key of another kid":             {sign(t, jwt.SigningMethodHS256, "e", []byte(secret), nil), "token_signature"},
		"unknown kid":                    {sign(t, jwt.SigningMethodHS256, "x", []byte(secret), nil), "token_signature"},
		"kid with a path":                {sign(t, jwt.SigningMethodHS256, "../../dev/null", []byte{}, nil), "token_signature"},
		"kid with a statement":           {sign(t, jwt.SigningMethodHS256, "x' UNION SELECT 'a", []byte("a"), nil), "token_signature"},
		"kid of another type":            {sign(t, jwt.SigningMethodHS256, 7, []byte(secret), nil), "token_signature"},
		"kid null":                       {sign(t, jwt.SigningMethodHS256, map[string]any{}, []byte(secret), nil), "token_signature"},
		"no kid among several keys":      {sign(t, jwt.SigningMethodHS256, nil, []byte(secret), nil), "token_signature"},
		"crit":                           {critical, "token_signature"},
		"claims of another token":        {strings.Split(hs, ".")[0] + "." + strings.Split(admin, ".")[1] + "." + strings.Split(hs, ".")[2], "token_signature"},
		"two tokens":                     {hs + "." + hs, "token_malformed"},
		"padding":                        {hs + "==", "token_malformed"},
		"none":                           {"", "token_missing"},
		"too long":                       {strings.Repeat("a", MaxBytes+1), "token_malformed"},
		"expired, and the signature bad": {sign(t, jwt.SigningMethodHS256, "h", []byte("another secret"), func(m jwt.MapClaims) { m["exp"] = 1 }), "token_signature"},
		"no sub":                         {sign(t, jwt.SigningMethodHS256, "h", []byte(secret), func(m jwt.MapClaims) { delete(m, "sub") }), "token_malformed"},
		"sub with a line":                {sign(t, jwt.SigningMethodHS256, "h", []byte(secret), func(m jwt.MapClaims) { m["sub"] = "a\nb" }), "token_malformed"},
		"no exp":                         {sign(t, jwt.SigningMethodHS256, "h", []byte(secret), func(m jwt.MapClaims) { delete(m, "exp") }), "token_malformed"},
		"exp of another type":            {sign(t, jwt.SigningMethodHS256, "h", []byte(secret), func(m jwt.MapClaims) { m["exp"] = "tomorrow" }), "token_malformed"},
		"expired":                        {sign(t, jwt.SigningMethodHS256, "h", []byte(secret), func(m jwt.MapClaims) { m["exp"] = 1 }), "token_expired"},
		"not yet":                        {sign(t, jwt.SigningMethodHS256, "h", []byte(secret), func(m jwt.MapClaims) { m["nbf"] = time.Now().Add(time.Hour).Unix() }), "token_not_yet_valid"},
	} {
		if got := reason(t, v, tt.token); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// login is a login server: it publishes what keys it is told to.
type login struct {
	*httptest.Server
	doc     atomic.Pointer[string]
	down    atomic.Bool
	fetches atomic.Int64
}

func newLogin(t *testing.T) *login {
	t.Helper()
	l := new(login)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.fetches.Add(1)
		if l.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(*l.doc.Load()))
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *login) publish(t *testing.T, keys ...map[string]any) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	l.doc.Store(&text)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func ecJWK(t *testing.T, kid string, k *ecdsa.PrivateKey) map[string]any {
	t.Helper()
	point, err := k.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	size := (len(point) - 1) / 2
	return map[string]any{"kty": "EC", "kid": kid, "crv": k.Curve.Params().Name, "use": "sig", "x": b64(point[1 : 1+size]), "y": b64(point[1+size:])}
}

func rsaJWK(alg string) map[string]any {
	return map[string]any{"kty": "RSA", "kid": "r", "alg": alg, "n": b64(rsaKey().N.Bytes()), "e": b64(big.NewInt(int64(rsaKey().E)).Bytes())}
}

// TestRotation follows a login server through new keys, an outage and the end of a key.
func TestRotation(t *testing.T) {
	t.Parallel()
	l := newLogin(t)
	one, two := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	var at atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(at.Load())) }
	from := func(iss string) func(jwt.MapClaims) {
		return func(m jwt.MapClaims) { m["iss"], m["exp"] = iss, time.Now().Add(24*time.Hour).Unix() }
	}
	tokenOne := sign(t, jwt.SigningMethodES256, "1", one, from("login"))
	tokenTwo := sign(t, jwt.SigningMethodES384, "2", two, from("login"))
	v := make1(t, Config{Issuers: []Issuer{{Issuer: "login", JWKS: l.URL}}}, Options{Now: now, Client: l.Client()})
	check := func(what, token, want string) {
		t.Helper()
		if got := reason(t, v, token); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	l.publish(t, ecJWK(t, "1", one))
	l.down.Store(true)
	check("before there is a key set", tokenOne, "dependency")
	l.down.Store(false)
	check("within the floor", tokenOne, "dependency")
	at.Add(int64(31 * time.Second))
	check("the first key", tokenOne, "")
	check("a kid that is not known", tokenTwo, "token_signature")
	l.publish(t, ecJWK(t, "1", one), ecJWK(t, "2", two))
	before := l.fetches.Load()
	for i := range 100 { // whatever kid tokens name
		check("made up", sign(t, jwt.SigningMethodES256, fmt.Sprint("x", i), one, from("login")), "token_signature")
	}
	if n := l.fetches.Load() - before; n != 0 {
		t.Errorf("%d fetches within the floor", n)
	}
	at.Add(int64(31 * time.Second))
	check("the second key", tokenTwo, "")
	check("the first key beside it", tokenOne, "")
	l.down.Store(true)
	at.Add(int64(time.Hour))
	check("while the endpoint is down", tokenTwo, "")
	check("unknown while the endpoint is down", sign(t, jwt.SigningMethodES256, "9", one, from("login")), "dependency")
	if age, ok := v.KeyAge(); !ok || age < time.Hour {
		t.Errorf("the key set's age is %v, %v", age, ok)
	}
	l.down.Store(false)
	l.publish(t, ecJWK(t, "2", two))
	at.Add(int64(31 * time.Second))
	check("made up", sign(t, jwt.SigningMethodES256, "9", one, from("login")), "token_signature")
	check("the first key has gone", tokenOne, "token_signature")
	check("of another issuer", sign(t, jwt.SigningMethodES384, "2", two, from("other")), "token_audience")
	check("of no issuer", sign(t, jwt.SigningMethodES384, "2", two, nil), "token_audience")
	check("the key as a secret", sign(t, jwt.SigningMethodHS256, "2", []byte(*l.doc.Load()), from("login")), "token_signature")
}

// TestIssuersHaveTheirOwnKeys: the key of one cannot sign for another.
func TestIssuersHaveTheirOwnKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	write := func(name string, k map[string]any) string {
		b, err := json.Marshal(map[string]any{"keys": []any{k}})
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name), b)
		return filepath.Join(dir, name)
	}
	v := make1(t, Config{
		Keys:    []Key{{Algorithm: "HS256", Secret: secret}},
		Issuers: []Issuer{{Issuer: "a", JWKS: write("a", ecJWK(t, "k", one))}, {Issuer: "b", Audience: "im", JWKS: write("b", ecJWK(t, "k", two))}},
	}, Options{})
	by := func(iss, aud string, k *ecdsa.PrivateKey) string {
		return sign(t, jwt.SigningMethodES256, "k", k, func(m jwt.MapClaims) { m["iss"], m["aud"] = iss, aud })
	}
	for name, tt := range map[string]struct{ token, want string }{
		"a":                     {by("a", "", one), ""},
		"b":                     {by("b", "im", two), ""},
		"b for another":         {by("b", "web", two), "token_audience"},
		"a signs for b":         {by("b", "im", one), "token_signature"},
		"own key, no iss":       {sign(t, jwt.SigningMethodHS256, nil, []byte(secret), nil), ""},
		"own key signs for a":   {sign(t, jwt.SigningMethodHS256, nil, []byte(secret), func(m jwt.MapClaims) { m["iss"] = "a" }), "token_signature"},
		"a's key under own iss": {by("c", "", one), "token_signature"},
	} {
		if got := reason(t, v, tt.token); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "revoked.json")
	put(t, path, []byte(`{}`))
	now := time.Now().Truncate(time.Second)
	changed := make(chan struct{}, 10)
	v := make1(t, Config{Keys: []Key{{Algorithm: "HS256", Secret: secret}}, Revoked: []string{path}}, Options{Revoked: func() { changed <- struct{}{} }})
	<-changed
	token := sign(t, jwt.SigningMethodHS256, nil, []byte(secret), func(m jwt.MapClaims) { m["jti"], m["iat"] = "t-1", now.Unix() })
	old := sign(t, jwt.SigningMethodHS256, nil, []byte(secret), func(m jwt.MapClaims) { delete(m, "iat") })
	c, err := v.Verify(t.Context(), token)
	if err != nil || c.ID != "t-1" || !c.IssuedAt.Equal(now) {
		t.Fatalf("%+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	defer running.Wait()
	defer cancel()
	stamp := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	for i, tt := range []struct{ list, token, old string }{
		{`{"tokens": ["t-1"]}`, "token_revoked", ""},
		{`{"tokens": ["t-2", ""]}`, "", ""},
		{`{"users": {"u-1": "` + stamp(time.Second) + `"}}`, "token_revoked", "token_revoked"},
		{`{"users": {"u-1": "` + stamp(0) + `"}}`, "", "token_revoked"},
		{`{"users": {"u-2": "` + stamp(time.Second) + `"}}`, "", ""},
		{`{"before": "` + stamp(time.Second) + `"}`, "token_revoked", "token_revoked"},
	} {
		put(t, path, []byte(tt.list))
		later := time.Now().Add(time.Duration(i+1) * time.Hour)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
		if err := v.lists[0].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-changed
		if a, b := reason(t, v, token), reason(t, v, old); a != tt.token || b != tt.old {
			t.Errorf("%s: %q and %q", tt.list, a, b)
		}
		if v.Revoked(&c) != (tt.token != "") {
			t.Errorf("%s: for an open connection it is otherwise", tt.list)
		}
	}
}

func TestListThatCannotBeHadLetsNobodyIn(t *testing.T) {
	t.Parallel()
	l := newLogin(t)
	l.down.Store(true)
	v := make1(t, Config{Keys: []Key{{Algorithm: "HS256", Secret: secret}}, Revoked: []string{l.URL}}, Options{Client: l.Client()})
	if got := reason(t, v, sign(t, jwt.SigningMethodHS256, nil, []byte(secret), nil)); got != "dependency" {
		t.Errorf("refused for %q", got)
	}
}

func TestKeySets(t *testing.T) {
	t.Parallel()
	ec := ecKey(t, elliptic.P256())
	good := ecJWK(t, "g", ec)
	with := func(changes map[string]any) map[string]any {
		m := maps.Clone(good)
		maps.Copy(m, changes)
		return m
	}
	for name, tt := range map[string]struct {
		key  map[string]any
		want string // of the error; "": taken, as the algorithm
		alg  string
	}{
		"EC":                {good, "", "ES256"},
		"RSA by alg":        {rsaJWK("PS512"), "", "PS512"},
		"RSA without":       {rsaJWK(""), "", "RS384"},
		"for encryption":    {with(map[string]any{"use": "enc"}), "not for signatures", ""},
		"to sign only":      {with(map[string]any{"key_ops": []string{"sign"}}), "not for signatures", ""},
		"a secret":          {map[string]any{"kty": "oct", "k": b64([]byte(secret)), "alg": "HS256"}, "kty and crv", ""},
		"RSA for HS256":     {rsaJWK("HS256"), "is none for", ""},
		"alg none":          {rsaJWK("none"), "is none for", ""},
		"other curve's alg": {with(map[string]any{"alg": "ES384"}), "is none for", ""},
		"off the curve":     {with(map[string]any{"y": good["x"]}), "no point", ""},
		"short":             {with(map[string]any{"x": "AA"}), "x or y", ""},
		"weak":              {map[string]any{"kty": "RSA", "n": b64(rsaKey().N.Bytes()[:128]), "e": "AQAB"}, "bits", ""},
		"exponent 1":        {map[string]any{"kty": "RSA", "n": b64(rsaKey().N.Bytes()), "e": "AQ"}, "exponent", ""},
	} {
		b, err := json.Marshal(map[string]any{"keys": []any{tt.key}})
		if err != nil {
			t.Fatal(err)
		}
		set, err := parseJWKS("RS384")(b)
		switch {
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want == "":
			if k, ok := set.find(""); !ok || k.algorithm != tt.alg {
				t.Errorf("%s: %v for %s", name, ok, k.algorithm)
			}
		}
	}
}

func TestBadConfigurationIsSaid(t *testing.T) {
	t.Parallel()
	c := Config{
		Keys: []Key{{ID: "a", Algorithm: "HS512", Secret: "short"}, {ID: "a", Algorithm: "ES256"}, {Algorithm: "none"}}, Issuer: "x",
		Issuers: []Issuer{{}, {Issuer: "x", JWKS: "http://login.example/", Algorithm: "HS256"}}, Revoked: []string{"ftp://h/"}, Floor: time.Millisecond, Leeway: -1,
	}
	text := errors.Join(c.Validate()...).Error()
	for _, want := range []string{
		"keys[0].secret: HS512 needs at least 64 bytes, not 5", `keys[1].id: "a" stands twice`, "keys[1].file:", "keys[2].id: needed", `keys[2].algorithm: "none" must be ES256`,
		"issuers[0].issuer: needed", "issuers[0].jwks: empty", `issuers[1].issuer: "x" stands twice`, "issuers[1].jwks: http://", `issuers[1].algorithm: "HS256" must be PS256`,
		"revoked[0]: ftp://", "jwks_floor: 1ms", "leeway: -1ns",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	weak := filepath.Join(t.TempDir(), "weak.pem")
	put(t, weak, []byte("no key"))
	_, err := New(Config{Keys: []Key{{Algorithm: "RS256", File: weak}}, Revoked: []string{weak}}, Options{})
	if err == nil || !strings.Contains(err.Error(), "keys[0].file: ") || !strings.Contains(err.Error(), "revoked[0]: ") {
		t.Errorf("files that are wrong give %v", err)
	}
	if _, err := parsePEM("ES256")(mustRead(t, writePublic(t, &rsaKey().PublicKey))); err == nil {
		t.Error("an RSA key is taken for ES256")
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := parseJWKS("RS256")(b)
		if (err == nil) != (len(set) > 0) {
			t.Errorf("%d keys and %v", len(set), err)
		}
		for _, k := range set {
			if _, err := bind(k.algorithm, k.key); err != nil {
				t.Errorf("a key was taken that does not fit: %v", err)
			}
		}
	})
}

func FuzzRevocations(f *testing.F) {
	f.Add([]byte(`{"tokens":["a"],"users":{"u":"2026-11-21T10:00:00Z"},"before":"2026-11-21T10:00:00Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRevocations(b)
		if (r == nil) == (err == nil) {
			t.Errorf("%v and %v", r, err)
		}
		if r != nil {
			r.match(&Claims{User: "u", ID: "a"})
		}
	})
}

func FuzzVerify(f *testing.F) {
	v, err := New(Config{Keys: []Key{{Algorithm: "HS256", Secret: secret}}}, Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := v.Verify(t.Context(), s); err == nil {
			t.Error("a token that nobody signed is good")
		}
	})
}
