package shipper

import (
	"errors"
	"fmt"
	"os"

	"imwatch/internal/disk"
)

// lock makes sure that a checkpoint or queue has one writer. It is released by the system when the process ends, however
// it ends.
func lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock file: %w", err)
	}
	if err := disk.Lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (does another shipper use the same checkpoint?)", err), f.Close())
	}
	// Unlocked by hand: a process being started at this moment may still hold the descriptor open.
	return func() error { return errors.Join(disk.Unlock(f), f.Close()) }, nil
}
