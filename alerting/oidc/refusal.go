package oidc

import "errors"

// Reason is why a token does not count, in a word: for metrics and logs.
type Reason string

// The reasons.
const (
	Malformed   Reason = "malformed"   // no JWT, or claims that cannot be read
	Algorithm   Reason = "algorithm"   // signed in a way that does not count, or not at all
	Issuer      Reason = "issuer"      // of another provider
	Signature   Reason = "signature"   // by none of the provider's keys
	Audience    Reason = "audience"    // made for something else
	Client      Reason = "client"      // asked for by a client that does not count
	Expired     Reason = "expired"     //
	NotYet      Reason = "not_yet"     // valid from later on, or made in the future: one of two clocks is wrong
	Unavailable Reason = "unavailable" // the provider cannot be asked for its keys
)

// RefusedError says why a token does not count. Its words hold nothing of the token but claims that are no secret.
type RefusedError struct {
	Reason Reason
	Words  string
}

// Error gives the words.
func (e *RefusedError) Error() string { return e.Words }

// Why gives the reason of an error of Check.
func Why(err error) Reason {
	if r, ok := errors.AsType[*RefusedError](err); ok {
		return r.Reason
	}
	return Malformed
}
