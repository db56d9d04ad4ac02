package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// file is a file of lines that is renamed and begun anew by size and by age. Renamed files are called
// PATH.20061102T150405.000000000Z after the moment, so that their names sort by time. A line is never cut by a rename:
// what one Write gets lies in one file. Not safe for concurrent use.
type file struct {
	path string
	cfg  *atomic.Pointer[Config] // its bounds may change
	now  func() time.Time

	f     *os.File
	size  int64
	begun time.Time
}

// rotatedStamp is the form of the moment in the names of renamed files.
const rotatedStamp = "20060102T150405.000000000Z"

// openFile opens the file for appending. A torn last line, left by a crash, is ended with a line feed, so that the
// next line stands by itself.
func openFile(path string, c *atomic.Pointer[Config], now func() time.Time) (*file, error) {
	l := &file{path: path, cfg: c, now: now}
	if err := l.open(); err != nil {
		return nil, err
	}
	if err := l.endTornLine(); err != nil {
		return nil, errors.Join(err, l.f.Close())
	}
	return l, nil
}

func (l *file) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening event log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("opening event log: %w", err), f.Close())
	}
	l.f, l.size, l.begun = f, info.Size(), l.now()
	if l.size > 0 {
		l.begun = info.ModTime() // the age of a file taken over is not known better
	}
	return nil
}

func (l *file) endTornLine() error {
	if l.size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := l.f.ReadAt(last[:], l.size-1); err != nil {
		return fmt.Errorf("reading the end of the event log: %w", err)
	}
	if last[0] == '\n' {
		return nil
	}
	_, err := l.Write([]byte("\n"))
	return err
}

// Write appends whole lines, and does not rotate. After an error n bytes of them are in the file, and the rest may be
// written again.
func (l *file) Write(lines []byte) (n int, err error) {
	n, err = l.f.Write(lines)
	l.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("writing event log: %w", err)
	}
	return n, nil
}

// force puts what is written onto the disk.
func (l *file) force() error {
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("syncing event log: %w", err)
	}
	return nil
}

// due says whether more bytes would pass the file's size, or its age has come.
func (l *file) due(more int64) bool {
	c := l.cfg.Load()
	return l.size > 0 && (l.size+more > c.MaxBytes || l.now().Sub(l.begun) >= c.MaxAge)
}

// rotate renames the file and begins a new one.
func (l *file) rotate() error {
	stamp := l.now().UTC()
	name := l.path + "." + stamp.Format(rotatedStamp)
	for exists(name) { // two in one tick of the clock
		stamp = stamp.Add(1)
		name = l.path + "." + stamp.Format(rotatedStamp)
	}
	if err := os.Rename(l.path, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("renaming event log: %w", err)
	}
	if err := l.reopen(); err != nil {
		return err
	}
	return l.prune()
}

// reopen opens the path again, whatever lies there now. The file before is closed only after that, and kept if the
// path cannot be opened.
func (l *file) reopen() error {
	old := l.f
	if err := l.open(); err != nil {
		return err
	}
	if err := old.Close(); err != nil {
		return fmt.Errorf("closing event log: %w", err)
	}
	return nil
}

// moved says whether somebody else has renamed or removed the file, as logrotate does.
func (l *file) moved() bool {
	mine, err := l.f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, there)
}

func (l *file) prune() error {
	keep := l.cfg.Load().Keep
	if keep == 0 {
		return nil
	}
	names, err := rotatedFiles(l.path)
	if err != nil {
		return err
	}
	var errs []error
	for i := range len(names) - keep {
		if err := os.Remove(names[i]); err != nil {
			errs = append(errs, fmt.Errorf("removing old event log: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (l *file) Close() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("closing event log: %w", err)
	}
	return nil
}

// rotatedFiles gives the renamed files of path, oldest first.
func rotatedFiles(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listing event logs: %w", err)
	}
	var names []string
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if _, err := time.Parse(rotatedStamp, stamp); ok && err == nil {
			names = append(names, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

var _ io.WriteCloser = (*file)(nil)

// Files gives the files of the log at path, oldest first: the renamed ones, then path itself.
func Files(path string) ([]string, error) {
	names, err := rotatedFiles(path)
	return append(names, path), err
}

// beside names a file that belongs to the log, so that a pattern for the log and its renamed files does not match.
func beside(path, ext string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ext
}
