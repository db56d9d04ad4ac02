// Package factor checks second factors: codes of an authenticator app (RFC 6238), or whatever stands behind an HTTP hook.
package factor

import (
	"context"
	"errors"
)

// Request is what is known of a client whose first factor was good.
type Request struct {
	User     string
	Code     string // "" if the client sent none
	Device   string
	ClientIP string
}

// ErrRefused says that the second factor is missing or wrong. What wraps it holds nothing of the code. Any other error
// is a failure of the check itself.
var ErrRefused = errors.New("the second factor is refused")

// Checker checks second factors. It must be safe for concurrent use and heed ctx.
type Checker interface {
	Check(ctx context.Context, r Request) error
}
