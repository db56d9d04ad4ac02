//go:build unix

package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// syncDir forces the name of a file that was made or renamed onto the disk.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	return nil
}
