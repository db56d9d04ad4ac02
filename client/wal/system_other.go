//go:build !unix

package wal

import "os"

// lockFile relies on the user: this system has no lock that ends with the process.
func lockFile(*os.File) error { return nil }

// syncFolder has nothing to do here.
func syncFolder(string) error { return nil }
