//go:build unix

package shipper

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock makes sure that the checkpoint has one writer. It is released by the system when the process ends, however
// it ends.
func lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the checkpoint: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s (does another shipper use the same checkpoint?): %w", path, err), f.Close())
	}
	return func() error {
		// Unlocked by hand: a process being started at this moment may still hold the descriptor open.
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("unlocking the checkpoint: %w", err)
		}
		return nil
	}, nil
}
