//go:build !unix

package journal

import "os"

// lock does nothing: this system has no lock that ends with the process.
func lock(*os.File) error { return nil }

// syncDir does nothing: this system has no directories that can be forced onto the disk.
func syncDir(string) error { return nil }
