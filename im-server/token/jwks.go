package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// keySet is the keys of one issuer by kid.
type keySet map[string]key

// find gives the key of a token. One without a kid can only mean the one key there is.
func (s keySet) find(kid string) (key, bool) {
	k, ok := s[kid]
	if !ok && kid == "" && len(s) == 1 {
		for _, k = range s {
			return k, true
		}
	}
	return k, ok
}

// maxKeys bounds a key set.
const maxKeys = 1000

// jwk is a key as RFC 7517 writes it.
type jwk struct {
	Kty string   `json:"kty"`
	Use string   `json:"use"`
	Ops []string `json:"key_ops"`
	Alg string   `json:"alg"`
	Kid string   `json:"kid"`
	Crv string   `json:"crv"`
	N   string   `json:"n"`
	E   string   `json:"e"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
}

// parseJWKS reads a key set. Keys for other purposes and of other algorithms are passed over, as RFC 7517 asks for; a set
// of which nothing is left is an error that says why.
func parseJWKS(rsaAlgorithm string) func([]byte) (keySet, error) {
	return func(b []byte) (keySet, error) {
		var doc struct {
			Keys []jwk `json:"keys"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, fmt.Errorf("no key set: %w", err)
		}
		if len(doc.Keys) > maxKeys {
			return nil, fmt.Errorf("%d keys, at most %d are taken", len(doc.Keys), maxKeys)
		}
		set, faults := keySet{}, []error(nil)
		for i, j := range doc.Keys {
			k, err := j.parse(rsaAlgorithm)
			if _, twice := set[j.Kid]; err == nil && twice {
				err = errors.New("its kid stands twice")
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("keys[%d]: %w", i, err))
				continue
			}
			set[j.Kid] = k
		}
		if len(set) == 0 {
			return nil, errors.Join(append([]error{errors.New("no key that can be used")}, faults...)...)
		}
		return set, nil
	}
}

func (j *jwk) parse(rsaAlgorithm string) (key, error) {
	if j.Use != "" && j.Use != "sig" || len(j.Ops) > 0 && !slices.Contains(j.Ops, "verify") {
		return key{}, errors.New("not for signatures")
	}
	name := j.Alg
	if name == "" {
		name = j.usual(rsaAlgorithm)
	}
	public, err := j.public()
	if err != nil {
		return key{}, err
	}
	return bind(name, public)
}

// usual gives the algorithm of a key that names none.
func (j *jwk) usual(rsaAlgorithm string) string {
	switch j.Kty + " " + j.Crv {
	case "EC P-256":
		return "ES256"
	case "EC P-384":
		return "ES384"
	case "OKP Ed25519":
		return "EdDSA"
	case "RSA ":
		return rsaAlgorithm
	}
	return ""
}

func (j *jwk) public() (any, error) {
	switch j.Kty + " " + j.Crv {
	case "RSA ":
		n, e, err := decode2(j.N, j.E)
		if err != nil || len(e) > 4 || len(e) == 0 || len(n) > maxRSABits/8+1 {
			return nil, errors.New("n or e is wrong")
		}
		exponent := new(big.Int).SetBytes(e).Int64()
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}, nil
	case "EC P-256":
		return j.point(elliptic.P256())
	case "EC P-384":
		return j.point(elliptic.P384())
	case "OKP Ed25519":
		x, err := decode(j.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("x is wrong")
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, errors.New("its kty and crv are none that is taken") // oct among them: a secret has no place in a public set
}

// point reads a point, which must lie on the curve.
func (j *jwk) point(curve elliptic.Curve) (any, error) {
	x, y, err := decode2(j.X, j.Y)
	size := (curve.Params().BitSize + 7) / 8
	if err != nil || len(x) != size || len(y) != size {
		return nil, errors.New("x or y is wrong")
	}
	p, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("x and y are no point of the curve")
	}
	return p, nil
}

func decode2(a, b string) (da, db []byte, err error) {
	da, errA := decode(a)
	db, errB := decode(b)
	return da, db, errors.Join(errA, errB)
}

func decode(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
