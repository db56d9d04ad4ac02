package imserver

import (
	"context"
	"errors"
	"fmt"

	"imwatch/event"
)

// Authenticator decides who a client is.
type Authenticator interface {
	// Authenticate checks what a client brought. It must be safe for concurrent use and heed ctx. An error should be or
	// wrap an *AuthError, whose reason is what the client and the log are told; any other error is taken for a failure
	// of ours (internal), one of ctx for a dependency that does not answer.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
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
	UserID string // at most 128 bytes, not empty
}

// AuthError is a refusal of credentials. Its text must not hold any part of a token.
type AuthError struct {
	Reason event.HandshakeReason
	UserID string // the claimed account, where it could be read
	Err    error  // may be nil
}

// Error prints reason and cause.
func (e *AuthError) Error() string {
	if e.Err == nil {
		return e.Reason.Reason
	}
	return fmt.Sprintf("%s: %v", e.Reason.Reason, e.Err)
}

// Unwrap gives the cause.
func (e *AuthError) Unwrap() error { return e.Err }

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
