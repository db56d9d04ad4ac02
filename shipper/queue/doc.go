// Package queue keeps what has to be sent on disk: entries in the order in which they were appended, until they are
// released, whatever is killed meanwhile.
//
// Entries stand in segments, files that are only appended to, each entry with its length, number and checksum. What a
// kill or a power failure has torn off is cut away when the queue is opened. Beside them, positions say how far each
// receiver has come: a file of fixed places, overwritten in place, so that noting one costs a write of 128 bytes into
// the page cache.
//
// A write survives the death of the process at once, and a power failure after the next Sync. A disk that is full or
// fails is an error of the call and changes nothing: the same call may be made again.
package queue

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrFull is returned (wrapped) by Append when the entry would make more than Config.MaxBytes wait.
var ErrFull = errors.New("the queue is full")

// DiskError is a failure of the disk or its file system. It unwraps to the system's error.
type DiskError struct {
	Op  string // what was being done
	Err error  // names the file
}

// Error says what was being done and what the system answered.
func (e *DiskError) Error() string { return fmt.Sprintf("%s: %v", e.Op, e.Err) }

// Unwrap gives the system's error.
func (e *DiskError) Unwrap() error { return e.Err }

func diskError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &DiskError{Op: op, Err: err}
}

// FS is what a queue needs of a file system. OS is the real one.
type FS interface {
	OpenFile(name string, flag int, perm os.FileMode) (File, error)
	ReadDir(name string) ([]os.DirEntry, error)
	MkdirAll(name string, perm os.FileMode) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes names durable, where the system offers that.
	SyncDir(name string) error
}

// File is what a queue needs of a file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (os.FileInfo, error)
}

// OS is the operating system's file system.
type OS struct{}

// OpenFile opens a file.
func (OS) OpenFile(name string, flag int, perm os.FileMode) (File, error) {
	return os.OpenFile(filepath.Clean(name), flag, perm)
}

// ReadDir lists a directory.
func (OS) ReadDir(name string) ([]os.DirEntry, error) { return os.ReadDir(name) }

// MkdirAll makes a directory and those above it.
func (OS) MkdirAll(name string, perm os.FileMode) error { return os.MkdirAll(name, perm) }

// Rename renames a file.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir makes the names in a directory durable.
func (OS) SyncDir(name string) error {
	d, err := os.Open(filepath.Clean(name))
	if err != nil {
		return err
	}
	_ = d.Sync() // some file systems do not offer it
	return d.Close()
}
