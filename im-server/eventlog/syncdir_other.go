//go:build !unix

package eventlog

// syncDir does nothing: this system has no directories that can be forced onto the disk.
func syncDir(string) error { return nil }
