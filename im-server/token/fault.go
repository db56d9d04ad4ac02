package token

import (
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"imwatch/event"
)

// Error is a refusal of a token. Its text holds no part of the token.
type Error struct {
	Reason event.HandshakeReason
	UserID string // the claimed account, where it could be read
	Err    error  // may be nil
}

// Error prints reason and cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason.Reason
	}
	return fmt.Sprintf("%s: %v", e.Reason.Reason, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// errKeys is a key set that cannot be had.
var errKeys = errors.New("the issuer's key set cannot be had")

// fault says what is wrong with a token, in words that hold nothing of it. Of several faults the worst is said: what no
// clock can mend comes first.
func fault(err error) (event.HandshakeReason, error) {
	for _, f := range []struct {
		err    error
		reason event.HandshakeReason
		detail string
	}{
		{jwt.ErrTokenMalformed, event.HandshakeTokenMalformed, "not a JSON Web Token"},
		{jwt.ErrTokenInvalidIssuer, event.HandshakeTokenAudience, "iss is another one"},
		{errKeys, event.HandshakeDependency, ""},
		{jwt.ErrTokenUnverifiable, event.HandshakeTokenSignature, "no key for its kid and algorithm"},
		{jwt.ErrTokenSignatureInvalid, event.HandshakeTokenSignature, "signature or algorithm is wrong"},
		{jwt.ErrTokenInvalidAudience, event.HandshakeTokenAudience, "aud is another one"},
		{jwt.ErrTokenExpired, event.HandshakeTokenExpired, "exp has passed"},
		{jwt.ErrTokenNotValidYet, event.HandshakeTokenNotYetValid, "nbf has not come"},
		{jwt.ErrTokenUsedBeforeIssued, event.HandshakeTokenNotYetValid, "iat has not come"},
		{jwt.ErrTokenRequiredClaimMissing, event.HandshakeTokenMalformed, "exp, or a configured aud or iss, is missing"},
	} {
		if !errors.Is(err, f.err) {
			continue
		}
		if f.detail == "" {
			return f.reason, err
		}
		return f.reason, errors.New(f.detail)
	}
	return event.HandshakeTokenMalformed, errors.New("claims cannot be read")
}
