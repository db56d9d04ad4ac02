package bus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"imwatch/internal/bus"
)

func TestTooLargeError(t *testing.T) {
	err := fmt.Errorf("producing: %w", &bus.TooLargeError{Index: 7, Bytes: 1234})
	if !errors.Is(err, bus.ErrTooLarge) {
		t.Error("it is no ErrTooLarge")
	}
	if s := err.Error(); !strings.Contains(s, "message 7") || !strings.Contains(s, "1234 bytes") {
		t.Errorf("it does not say which: %s", s)
	}
}
