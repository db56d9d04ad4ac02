//go:build unix

package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock takes an open file for the caller without waiting: ErrLocked when another one has it. It lasts until Unlock, until
// the file is closed, or until the process ends, however it ends. A program that is being started at this moment may
// hold the descriptor a little longer than Close; Unlock does not wait for that.
func Lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor is small
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return nil
}

// Unlock gives a file back.
func Unlock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil { //nolint:gosec // as above
		return fmt.Errorf("unlocking %s: %w", f.Name(), err)
	}
	return nil
}

// SyncDir has the names in a folder on the disk: files that were made, renamed or removed there. A file's content is its
// own affair (os.File.Sync). On a file system that offers no such thing, names last as well as they do there.
func SyncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the caller's folder
	if err == nil {
		if err = d.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
			err = nil
		}
		err = errors.Join(err, d.Close())
	}
	if err != nil {
		return fmt.Errorf("flushing folder %s: %w", dir, err)
	}
	return nil
}
