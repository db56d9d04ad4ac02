//go:build !unix

package disk

import "os"

// Lock does nothing: this system has no lock that ends with the process. That there is one user is the operator's care.
func Lock(*os.File) error { return nil }

// Unlock does nothing.
func Unlock(*os.File) error { return nil }

// SyncDir does nothing: this system has no folders that can be forced onto the disk.
func SyncDir(string) error { return nil }
