package app

import (
	"errors"
	"fmt"
)

// UsageError is a wrong command line or configuration: exit code 2.
type UsageError struct{ err error }

// Error gives the fault's text.
func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap gives the fault.
func (e *UsageError) Unwrap() error { return e.err }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// ErrFindings says that a check found something and has already printed it: exit code 1, nothing more to say.
var ErrFindings = errors.New("findings were printed")
