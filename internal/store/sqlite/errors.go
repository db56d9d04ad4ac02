package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"modernc.org/sqlite"

	"imwatch/internal/store"
)

// codeBusy is the primary result code of SQLite for a lock that somebody else has.
const codeBusy = 5

// passing gives the primary result codes of what may pass: locks (5, 6), no memory (7), a disk that is read-only (8),
// failing (10), full (13) or out of file handles (14), and a race for the write-ahead log (15).
func passing(code int) bool { return slices.Contains([]int{5, 6, 7, 8, 10, 13, 14, 15}, code) }

// code gives the primary result code of an error of SQLite, 0 of any other.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// failure wraps an error with what was being done. What may pass is ErrUnavailable; a damaged file, a fault of ours
// and the caller's own cancelling are not.
func failure(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case passing(code(err)):
		return fmt.Errorf("%s: %w: %w", doing, store.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
