package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
)

const lockName = "imwatch.lock"

// dirLock holds a directory for one process. It is a transaction of SQLite itself, which holds on every system, ends
// with the process however that dies, and also keeps a second Store of the same process out.
type dirLock struct{ db *sql.DB }

func takeLock(dir string) (*dirLock, error) {
	db, err := sql.Open("sqlite", dataSource(filepath.Join(dir, lockName)))
	if err != nil {
		return nil, fmt.Errorf("opening the lock of %s: %w", dir, err)
	}
	db.SetMaxOpenConns(1)
	for _, q := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		if _, err := db.ExecContext(context.Background(), q); err != nil {
			err = errors.Join(err, db.Close())
			if code(err) == codeBusy {
				return nil, fmt.Errorf("taking the lock of %s: the directory is in use by another process (or twice in this one)", dir)
			}
			return nil, fmt.Errorf("taking the lock of %s: %w", dir, err)
		}
	}
	return &dirLock{db}, nil
}

func (l *dirLock) release() error {
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("releasing the lock of the store's directory: %w", err)
	}
	return nil
}
