// Package fault is why a line is no event: what all that reads lines reports in.
package fault

import "fmt"

// Error says why a line is no event. Trying again never helps.
type Error struct {
	Reason string // class, for metrics and dead letters: those of event.DecodeError, pattern, time, action, id, reserved
	Detail string // what was found, what is allowed
}

// Error gives the detail.
func (e *Error) Error() string { return e.Detail }

// New makes an Error of class reason.
func New(reason, format string, args ...any) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
