package imserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// JWT is the [Authenticator] of JSON Web Tokens. Each key has the one algorithm that it may be used with, so that a
// token can neither choose none nor have a public key taken for a secret. exp and sub are required, nbf, iss and aud
// are checked as configured. Safe for concurrent use.
type JWT struct {
	keys   map[string]jwtKey // by kid
	only   string            // kid of the only key, used for tokens without one
	single bool
	parser *jwt.Parser
}

type jwtKey struct {
	algorithm string
	key       any
}

// NewJWT reads the keys. now is the clock that exp and nbf are checked by.
func NewJWT(c JWTConfig, now func() time.Time) (*JWT, error) {
	a := &JWT{keys: make(map[string]jwtKey, len(c.Keys)), single: len(c.Keys) == 1}
	var algorithms []string
	for i, k := range c.Keys {
		key, err := readKey(k)
		if err != nil {
			return nil, fmt.Errorf("jwt.keys[%d]: %w", i, err)
		}
		a.keys[k.ID], a.only = jwtKey{k.Algorithm, key}, k.ID
		algorithms = append(algorithms, k.Algorithm)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithExpirationRequired(), jwt.WithLeeway(c.Leeway), jwt.WithTimeFunc(now),
	}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	if c.Audience != "" {
		options = append(options, jwt.WithAudience(c.Audience))
	}
	a.parser = jwt.NewParser(options...)
	return a, nil
}

// minRSABits is the least that RFC 7518 allows.
const minRSABits = 2048

func readKey(k JWTKey) (any, error) {
	if k.Algorithm == "HS256" {
		return []byte(k.Secret), nil
	}
	pem, err := os.ReadFile(k.File)
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	if k.Algorithm == "EdDSA" {
		key, err := jwt.ParseEdPublicKeyFromPEM(pem)
		if err != nil {
			return nil, fmt.Errorf("reading key %s: %w", k.File, err)
		}
		return key, nil
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: %w", k.File, err)
	}
	if key.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("reading key %s: %d bits, at least %d are needed", k.File, key.N.BitLen(), minRSABits)
	}
	return key, nil
}

// Authenticate checks the token. Every error is an *AuthError.
func (a *JWT) Authenticate(_ context.Context, c Credentials) (Identity, error) {
	if c.Token == "" {
		return Identity{}, &AuthError{Reason: event.HandshakeTokenMissing}
	}
	var claims jwt.RegisteredClaims
	_, err := a.parser.ParseWithClaims(c.Token, &claims, a.key)
	user := claims.Subject
	if !goodName(user) {
		user = ""
	}
	if err != nil {
		reason, detail := tokenFault(err)
		return Identity{}, &AuthError{Reason: reason, UserID: user, Err: errors.New(detail)}
	}
	if user == "" {
		return Identity{}, &AuthError{Reason: event.HandshakeTokenMalformed, Err: errors.New("sub is missing or no name of 1 to 128 bytes")}
	}
	return Identity{UserID: user}, nil
}

// key finds the key of a token, and refuses it for any algorithm but its own.
func (a *JWT) key(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	k, ok := a.keys[kid]
	if !ok && a.single && kid == "" {
		k, ok = a.keys[a.only], true
	}
	if !ok {
		return nil, errors.New("kid of no key")
	}
	if t.Method.Alg() != k.algorithm {
		return nil, errors.New("algorithm of another key")
	}
	return k.key, nil
}

// tokenFault says what is wrong with a token, in words that hold nothing of it. Of several faults the worst is said:
// what no clock can mend comes first.
func tokenFault(err error) (event.HandshakeReason, string) {
	for _, f := range []struct {
		err    error
		reason event.HandshakeReason
		detail string
	}{
		{jwt.ErrTokenMalformed, event.HandshakeTokenMalformed, "not a JSON Web Token"},
		{jwt.ErrTokenUnverifiable, event.HandshakeTokenSignature, "no key for its kid and algorithm"},
		{jwt.ErrTokenSignatureInvalid, event.HandshakeTokenSignature, "signature or algorithm is wrong"},
		{jwt.ErrTokenInvalidAudience, event.HandshakeTokenAudience, "aud is another one"},
		{jwt.ErrTokenInvalidIssuer, event.HandshakeTokenAudience, "iss is another one"},
		{jwt.ErrTokenExpired, event.HandshakeTokenExpired, "exp has passed"},
		{jwt.ErrTokenNotValidYet, event.HandshakeTokenNotYetValid, "nbf has not come"},
		{jwt.ErrTokenRequiredClaimMissing, event.HandshakeTokenMalformed, "exp, or a configured aud or iss, is missing"},
	} {
		if errors.Is(err, f.err) {
			return f.reason, f.detail
		}
	}
	return event.HandshakeTokenMalformed, "claims cannot be read"
}

// goodName says whether s may be a user's name.
func goodName(s string) bool { return protocol.CheckName(s) == nil }
