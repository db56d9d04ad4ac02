//go:build !unix

package journal

import (
	"fmt"
	"os"
	"path/filepath"
)

// openLocked only opens the file: this system has no lock that ends with the process.
func openLocked(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("making the journal's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return f, nil
}

// syncDir does nothing: this system has no directories that can be forced onto the disk.
func syncDir(string) error { return nil }
