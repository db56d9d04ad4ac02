package queue_test

import (
	"errors"
	"os"
	"syscall"

	"imwatch/shipper/queue"
)

// crashing is a file system that dies in the midst of its work: after so many bytes and steps nothing is done any
// more, and the last write is done in part.
type crashing struct {
	unsynced
	left int // bytes and steps
	err  error
}

var errCrash = errors.New("the machine has died")

// step says how much of n may be done.
func (c *crashing) step(n int) (may int, err error) {
	if c.left <= 0 {
		return 0, c.err
	}
	may = min(n, c.left)
	c.left -= n
	if c.left < 0 || may < n {
		return may, c.err
	}
	return may, nil
}

func (c *crashing) OpenFile(name string, flag int, perm os.FileMode) (queue.File, error) {
	if flag&os.O_CREATE != 0 {
		if _, err := c.step(1); err != nil {
			return nil, err
		}
	}
	f, err := c.unsynced.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &crashingFile{f, c}, nil
}

func (c *crashing) Remove(name string) error {
	if _, err := c.step(1); err != nil {
		return err
	}
	return c.unsynced.Remove(name)
}

func (c *crashing) Rename(from, to string) error {
	if _, err := c.step(1); err != nil {
		return err
	}
	return c.unsynced.Rename(from, to)
}

type crashingFile struct {
	queue.File
	fs *crashing
}

func (f *crashingFile) WriteAt(b []byte, off int64) (int, error) {
	may, err := f.fs.step(len(b))
	if may > 0 {
		if n, err := f.File.WriteAt(b[:may], off); err != nil {
			return n, err
		}
	}
	return may, err
}

func (f *crashingFile) Truncate(size int64) error {
	if _, err := f.fs.step(1); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *crashingFile) Sync() error {
	_, err := f.fs.step(0)
	return err
}

// unsynced is a file system that makes nothing durable, for tests that kill no machine: syncing is what takes the time.
type unsynced struct{ queue.OS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) OpenFile(name string, flag int, perm os.FileMode) (queue.File, error) {
	f, err := u.OS.OpenFile(name, flag, perm)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ queue.File }

func (unsyncedFile) Sync() error { return nil }

// full is the error of a disk without space.
var full = &os.PathError{Op: "write", Path: "queue", Err: syscall.ENOSPC}
