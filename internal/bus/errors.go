package bus

import "fmt"

// TooLargeError says which message of a Produce call is too large. It unwraps to ErrTooLarge.
type TooLargeError struct {
	Index int // of the message in the call's arguments
	Bytes int // of its key and value together
}

// Error names the message by its place in the call.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message %d of the call, %d bytes: %v", e.Index, e.Bytes, ErrTooLarge)
}

// Unwrap makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }
