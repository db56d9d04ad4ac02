package imserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"imwatch/event"
	"imwatch/im-server/token"
)

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writePublic(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "public.pem", "PUBLIC KEY", der)
}

// writeCertificate makes a certificate for loopback and gives its files.
func writeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "cert.pem", "CERTIFICATE", der), writePEM(t, "key.pem", "PRIVATE KEY", keyDER)
}

// TestJWTAttacks tries to be let in with tokens that a careless verifier takes.
func TestJWTAttacks(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaFile, edFile := writePublic(t, &rsaKey.PublicKey), writePublic(t, edPublic)
	auth, err := NewJWT(token.Config{Keys: []token.Key{
		{ID: "h", Algorithm: "HS256", Secret: secret}, {ID: "r", Algorithm: "RS256", File: rsaFile}, {ID: "e", Algorithm: "EdDSA", File: edFile},
	}}, JWTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token := func(method jwt.SigningMethod, kid string, key any) string {
		unsigned := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "u-1", "exp": time.Now().Add(time.Hour).Unix()})
		if kid != "" {
			unsigned.Header["kid"] = kid
		}
		s, err := unsigned.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	public, err := os.ReadFile(rsaFile)
	if err != nil {
		t.Fatal(err)
	}
	hs, rs := token(jwt.SigningMethodHS256, "h", []byte(secret)), token(jwt.SigningMethodRS256, "r", rsaKey)
	stripped := rs[:strings.LastIndexByte(rs, '.')+1]
	upper := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"NoNe","kid":"r"}`)) + "." + strings.Split(rs, ".")[1] + "."
	for _, tt := range []struct {
		name, token string
		reason      event.HandshakeReason // zero: let in
	}{
		{"good HS256", hs, event.HandshakeReason{}},
		{"good RS256", rs, event.HandshakeReason{}},
		{"good EdDSA", token(jwt.SigningMethodEdDSA, "e", edKey), event.HandshakeReason{}},
		{"alg none", token(jwt.SigningMethodNone, "h", jwt.UnsafeAllowNoneSignatureType), event.HandshakeTokenSignature},
		{"alg none, spelled oddly", upper, event.HandshakeTokenSignature},
		{"signature left out", stripped, event.HandshakeTokenSignature},
		{"public key as a secret", token(jwt.SigningMethodHS256, "r", public), event.HandshakeTokenSignature},
		{"public key's bytes as a secret", token(jwt.SigningMethodHS256, "e", []byte(edPublic)), event.HandshakeTokenSignature},
		{"other algorithm of the family", token(jwt.SigningMethodHS512, "h", []byte(secret)), event.HandshakeTokenSignature},
		{"RS512 for RS256", token(jwt.SigningMethodRS512, "r", rsaKey), event.HandshakeTokenSignature},
		{"key of another kid", token(jwt.SigningMethodHS256, "e", []byte(secret)), event.HandshakeTokenSignature},
		{"unknown kid", token(jwt.SigningMethodHS256, "x", []byte(secret)), event.HandshakeTokenSignature},
		{"no kid among several keys", token(jwt.SigningMethodHS256, "", []byte(secret)), event.HandshakeTokenSignature},
		{"claims of another token", strings.Split(hs, ".")[0] + "." + strings.Split(tokenFor(t, "admin"), ".")[1] + "." + strings.Split(hs, ".")[2], event.HandshakeTokenSignature},
		{"two tokens", hs + "." + hs, event.HandshakeTokenMalformed},
		{"padding", hs + "==", event.HandshakeTokenMalformed},
	} {
		id, err := auth.Authenticate(context.Background(), Credentials{Token: tt.token})
		refused, isRefusal := errors.AsType[*AuthError](err)
		switch {
		case tt.reason.Reason == "" && (err != nil || id.UserID != "u-1"):
			t.Errorf("%s: %+v, %v", tt.name, id, err)
		case tt.reason.Reason != "" && (!isRefusal || refused.Reason.Reason != tt.reason.Reason || id.UserID != ""):
			t.Errorf("%s: %+v, %v, want %s", tt.name, id, err, tt.reason.Reason)
		}
		if err != nil && len(tt.token) > 20 && strings.Contains(err.Error(), tt.token[:20]) {
			t.Errorf("%s: the error repeats the token", tt.name)
		}
	}
}

func TestJWTClockAndLeeway(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	auth, err := NewJWT(token.Config{Keys: []token.Key{{Algorithm: "HS256", Secret: secret}}, Leeway: 30 * time.Second}, JWTOptions{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		exp, nbf time.Duration
		reason   string
	}{
		{-29 * time.Second, 0, ""},
		{-31 * time.Second, 0, "token_expired"},
		{time.Hour, 29 * time.Second, ""},
		{time.Hour, 31 * time.Second, "token_not_yet_valid"},
	} {
		token := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "u-1", "exp": now.Add(tt.exp).Unix(), "nbf": now.Add(tt.nbf).Unix()})
		_, err := auth.Authenticate(context.Background(), Credentials{Token: token})
		got := ""
		if refused, ok := errors.AsType[*AuthError](err); ok {
			got = refused.Reason.Reason
		}
		if got != tt.reason {
			t.Errorf("exp %v, nbf %v: %q, want %q", tt.exp, tt.nbf, got, tt.reason)
		}
	}
}

func TestWeakRSAKeyIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewJWT(token.Config{Keys: []token.Key{{Algorithm: "RS256", File: writePublic(t, &weak.PublicKey)}}}, JWTOptions{})
	if err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("a key of 1024 bits gives %v", err)
	}
}

func hasLine(err error, prefix string) bool {
	if err == nil {
		return false
	}
	for line := range strings.Lines(err.Error()) {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
