package client

import (
	"errors"
	"fmt"
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// Errors that sending gives.
var (
	ErrNotConnected = errors.New("not connected") // now; the client may be on its way back
	ErrClosed       = errors.New("client closed")
	ErrTooBig       = errors.New("larger than the server takes")
)

// RefusedError is the server's no to what was asked of it.
type RefusedError struct {
	Code protocol.Code
	Text string        // for a person
	Ref  string        // id of what was refused
	Wait time.Duration // before another try; 0: not said
}

func newRefused(e *protocol.Error) *RefusedError {
	return &RefusedError{e.Code, e.Text, e.Ref, time.Duration(e.RetryMS) * time.Millisecond}
}

// Error prints code and text.
func (e *RefusedError) Error() string { return fmt.Sprintf("refused (%s): %s", e.Code, e.Text) }

// again says whether the same may be taken later.
func (e *RefusedError) again() bool {
	return e.Code == protocol.CodeUnavailable || e.Code == protocol.CodeRateLimited
}

// HandshakeError is a refusal by the server, or by something before it.
type HandshakeError struct {
	Status     int           // HTTP status
	Reason     string        // of the contract's handshake reasons; "" where the answer was not the IM server's
	Text       string        // for a person
	RetryAfter time.Duration // 0: not said
}

// Error prints status, reason and text.
func (e *HandshakeError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("handshake refused with HTTP %d", e.Status)
	}
	return fmt.Sprintf("handshake refused with HTTP %d, %s: %s", e.Status, e.Reason, e.Text)
}

// final says whether another try can't do better. A token that has expired or is not valid yet may be replaced by the
// token function, or by time.
func (e *HandshakeError) final() bool {
	switch e.Reason {
	case event.HandshakeTokenExpired.Reason, event.HandshakeTokenNotYetValid.Reason:
		return false
	}
	return e.Status >= 400 && e.Status < 500 && e.Status != 408 && e.Status != 429
}

// CloseError is the end of a connection that was up.
type CloseError struct {
	Code   int           // close code that was received; 0: the connection was lost without one
	Reason string        // of the contract's close reasons: the server's word, else what the loss looks like from here
	Retry  bool          // whether to come back
	Wait   time.Duration // the server's wish; 0: not said
	Fresh  bool          // the session is over with the connection
	Cause  error         // of a loss; nil: the server closed in order
}

// Error prints code, reason and cause.
func (e *CloseError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("connection lost (%s): %v", e.Reason, e.Cause)
	}
	return fmt.Sprintf("connection closed with code %d (%s)", e.Code, e.Reason)
}

// Unwrap gives the cause.
func (e *CloseError) Unwrap() error { return e.Cause }
