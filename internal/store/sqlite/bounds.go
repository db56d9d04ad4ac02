package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// bounds are the least and the greatest ts of a file, so that a search opens files only as it comes to them.
type bounds struct {
	mu       sync.Mutex
	known    bool
	empty    bool
	min, max int64
}

// span gives the bounds; ok is false for an empty file.
func (f *file) span(ctx context.Context) (lo, hi int64, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known {
		var least, most sql.NullInt64
		row := f.readers.QueryRowContext(ctx, "SELECT (SELECT min(ts) FROM docs), (SELECT max(ts) FROM docs)")
		if err := row.Scan(&least, &most); err != nil {
			return 0, 0, false, err
		}
		f.known, f.empty, f.min, f.max = true, !least.Valid, least.Int64, most.Int64
	}
	return f.min, f.max, !f.empty, nil
}

// forget makes the next span read the file again; call it after each write has been committed.
func (b *bounds) forget() {
	b.mu.Lock()
	b.known = false
	b.mu.Unlock()
}
