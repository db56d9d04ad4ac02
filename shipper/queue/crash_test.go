package queue_test

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"imwatch/shipper/queue"
)

// crashing is a file system that dies in the midst of its work: after so many bytes and steps nothing is done any
// more, and the last write is done in part.
type crashing struct {
	unsynced
	left int // bytes and steps
	err  error
}

var errCrash = errors.New("the machine has died")

// step says how much of n may be done.
func (c *crashing) step(n int) (may int, err error) {
	if c.left <= 0 {
		return 0, c.err
	}
	may = min(n, c.left)
	c.left -= n
	if c.left < 0 || may < n {
		return may, c.err
	}
	return may, nil
}

func (c *crashing) OpenFile(name string, flag int, perm os.FileMode) (queue.File, error) {
	if flag&os.O_CREATE != 0 {
		if _, err := c.step(1); err != nil {
			return nil, err
		}
	}
	f, err := c.unsynced.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &crashingFile{f, c}, nil
}

func (c *crashing) Remove(name string) error {
	if _, err := c.step(1); err != nil {
		return err
	}
	return c.unsynced.Remove(name)
}

func (c *crashing) Rename(from, to string) error {
	if _, err := c.step(1); err != nil {
		return err
	}
	return c.unsynced.Rename(from, to)
}

type crashingFile struct {
	queue.File
	fs *crashing
}

func (f *crashingFile) WriteAt(b []byte, off int64) (int, error) {
	may, err := f.fs.step(len(b))
	if may > 0 {
		if n, err := f.File.WriteAt(b[:may], off); err != nil {
			return n, err
		}
	}
	return may, err
}

func (f *crashingFile) Truncate(size int64) error {
	if _, err := f.fs.step(1); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *crashingFile) Sync() error {
	_, err := f.fs.step(0)
	return err
}

// unsynced is a file system that makes nothing durable, for tests that kill no machine: syncing is what takes the time.
type unsynced struct{ queue.OS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) OpenFile(name string, flag int, perm os.FileMode) (queue.File, error) {
	f, err := u.OS.OpenFile(name, flag, perm)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ queue.File }

func (unsyncedFile) Sync() error { return nil }

// full is the error of a disk without space.
var full = &os.PathError{Op: "write", Path: "queue", Err: syscall.ENOSPC}

// Whenever the machine dies while room is made, every entry is there under its number, as it was or thinned.
func TestThinAndCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := scratchDir(t)
		fs := &crashing{left: 1 << 30, err: errCrash}
		cfg := queue.Config{Dir: dir, SegmentBytes: 300, MaxBytes: 1 << 20, FS: fs, SyncEach: rapid.Bool().Draw(t, "sync")}
		q := open(t, cfg, 0)
		n := uint64(rapid.IntRange(1, 30).Draw(t, "entries"))
		for i := range n {
			if _, _, err := q.Append(at, payload(i+1, rapid.IntRange(10, 200).Draw(t, "size"))); err != nil {
				t.Fatal(err)
			}
		}
		read := uint64(rapid.IntRange(0, int(n)).Draw(t, "read"))
		for range read {
			if _, _, err := q.Next(nil); err != nil {
				t.Fatal(err)
			}
		}
		fs.left = rapid.IntRange(1, 4000).Draw(t, "work until the crash")
		thinned := map[uint64]bool{}
		for before := q.Bytes(); ; before = q.Bytes() {
			freed, err := q.Thin(func(e queue.Entry) ([]byte, error) {
				if e.Number <= read {
					t.Fatalf("entry %d is on its way", e.Number)
				}
				thinned[e.Number] = true
				return []byte("-"), nil
			})
			if before-q.Bytes() != freed {
				t.Fatalf("%d bytes were freed, and %d wait instead of %d", freed, q.Bytes(), before)
			}
			if err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if freed == 0 {
				break
			}
		}
		fs.left = 1 << 30
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, cfg, read)
		defer func() { _ = again.Close() }()
		if err := again.Problem(); err != nil {
			t.Fatal(err)
		}
		got := rest(t, again)
		if uint64(len(got)) != n-read {
			t.Fatalf("%d entries of %d", len(got), n-read)
		}
		for i, e := range got {
			if e.Number != read+uint64(i)+1 || string(e.Payload) != "-" && !bytes.Equal(e.Payload, payload(e.Number, len(e.Payload))) || string(e.Payload) == "-" && !thinned[e.Number] {
				t.Fatalf("entry %d: %q", e.Number, e.Payload)
			}
		}
	})
}
