package eventlog

import (
	"errors"
	"fmt"
	"os"

	"imwatch/internal/disk"
)

// lockFile keeps a second server from the same log and ledger. Closing the file, or the process's end, gives it free.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	if err := disk.Lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: another server writes this log", err), f.Close())
	}
	return f, nil
}
