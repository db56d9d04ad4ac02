package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// key is a key with the one algorithm that it may be used with, so that no token can choose: a public key is never
// taken for a secret.
type key struct {
	algorithm string
	key       any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// algorithm is what a key of an algorithm is like.
type algorithm struct {
	kty    string // of RFC 7517; "": a secret
	curve  elliptic.Curve
	secret int // least bytes of a secret
}

// algorithms are those that are taken.
var algorithms = map[string]algorithm{
	"HS256": {secret: 32}, "HS384": {secret: 48}, "HS512": {secret: 64},
	"RS256": {kty: "RSA"}, "RS384": {kty: "RSA"}, "RS512": {kty: "RSA"},
	"PS256": {kty: "RSA"}, "PS384": {kty: "RSA"}, "PS512": {kty: "RSA"},
	"ES256": {kty: "EC", curve: elliptic.P256()}, "ES384": {kty: "EC", curve: elliptic.P384()},
	"EdDSA": {kty: "OKP"},
}

// Bounds of RSA keys: the least that RFC 7518 allows, and the most that is cheap to check a signature with.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// bind makes a key of a public key, if it fits the algorithm.
func bind(name string, public any) (key, error) {
	a, known := algorithms[name]
	fits := false
	switch p := public.(type) {
	case *rsa.PublicKey:
		fits = a.kty == "RSA"
		if bits := p.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key{}, fmt.Errorf("an RSA key of %d bits, %d to %d are taken", bits, minRSABits, maxRSABits)
		}
		if p.E < 3 {
			return key{}, fmt.Errorf("an RSA key with the exponent %d", p.E)
		}
	case *ecdsa.PublicKey:
		fits = a.curve != nil && a.curve == p.Curve
	case ed25519.PublicKey:
		fits = a.kty == "OKP"
	}
	if !known || !fits {
		return key{}, fmt.Errorf("a key of type %T is none for %q", public, name)
	}
	return key{name, public}, nil
}

// parsePEM reads a public key, or the key of a certificate.
func parsePEM(name string) func([]byte) (key, error) {
	return func(b []byte) (key, error) {
		block, _ := pem.Decode(b)
		if block == nil {
			return key{}, errors.New("no PEM block")
		}
		public, err := parseBlock(block)
		if err != nil {
			return key{}, fmt.Errorf("reading %s: %w", block.Type, err)
		}
		return bind(name, public)
	}
}

func parseBlock(block *pem.Block) (any, error) { //nolint:wrapcheck // parsePEM says what was read
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return nil, errors.New("expected PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
}
