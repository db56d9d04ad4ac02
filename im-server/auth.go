package imserver

import (
	"context"
	"errors"
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"
	"imwatch/im-server/token"
)

// Authenticator decides who a client is.
type Authenticator interface {
	// Authenticate checks what a client brought. It must be safe for concurrent use and heed ctx. An error should be or
	// wrap an *AuthError, whose reason is what the client and the log are told; any other error is taken for a failure
	// of ours (internal), one of ctx for a dependency that does not answer.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

// Revoker is an [Authenticator] that can take back what it gave. Its server looks at open connections again after
// [Server.Revoked] was called.
type Revoker interface {
	// Revoked says whether an identity is good no longer. It must be fast, and safe for concurrent use.
	Revoked(id Identity) bool
}

// Credentials is what a client brings to the handshake.
type Credentials struct {
	Token    string // "" if it sent none
	DeviceID string
	Platform string
	ClientIP string // after trusted proxies
}

// Identity is who a client is.
type Identity struct {
	UserID       string    // at most 128 bytes, not empty
	Expires      time.Time // when the connection ends (auth_expired) unless the client brings a new token; zero: never
	TokenID      string    // what a Revoker knows the token by
	IssuedAt     time.Time // zero: not said
	SecondFactor bool      // one was checked where the token was issued: it is not asked for again
}

// AuthError is a refusal of credentials. Its text must not hold any part of a token.
type AuthError = token.Error

// authFailure gives the reason of a failed authentication, the claimed account and what the log may be told.
func authFailure(ctx context.Context, err error) (reason event.HandshakeReason, user string, cause error) {
	if ae, ok := errors.AsType[*AuthError](err); ok {
		return ae.Reason, ae.UserID, ae.Err
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return event.HandshakeDependency, "", err
	}
	return event.HandshakeInternal, "", err
}

// goodName says whether s may be a user's name.
func goodName(s string) bool { return protocol.CheckName(s) == nil }
