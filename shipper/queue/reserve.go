package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// reserveBytes is room for some small files.
const reserveBytes = 256 << 10

// Keep takes some room on the disk, unless it has it. A disk that the queue itself has filled would else have none for
// the note that is needed before anything of the queue may be deleted.
func (q *Queue) Keep() error {
	path := q.reserve()
	f, err := q.fs.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return diskError("keeping room on the disk", err)
	}
	_, err = f.WriteAt(make([]byte, reserveBytes), 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return diskError("keeping room on the disk", errors.Join(err, q.fs.Remove(path)))
	}
	return nil
}

// Spend gives that room back.
func (q *Queue) Spend() error {
	if err := q.fs.Remove(q.reserve()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError("giving back room on the disk", err)
	}
	return nil
}

func (q *Queue) reserve() string { return filepath.Join(q.cfg.Dir, "reserve") }
