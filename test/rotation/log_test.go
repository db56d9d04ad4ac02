package rotation

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// cell is one way to treat a log.
type cell struct {
	name      string
	truncated bool // copied and truncated; else renamed
	killed    bool // the shipper, at random moments
	keep      int  // old files; 0: all
	packed    bool // by gzip, at once
}

func cells() []cell {
	var all []cell
	for _, truncated := range []bool{false, true} {
		for _, killed := range []bool{false, true} {
			few := 2
			if killed { // a file must stay for as long as the shipper is down
				few = 6
			}
			how := map[bool]string{false: "rename", true: "copytruncate"}[truncated] + map[bool]string{true: ", SIGKILL"}[killed]
			all = append(all,
				cell{how + ", all kept", truncated, killed, 0, false},
				cell{how + fmt.Sprintf(", %d kept", few), truncated, killed, few, false},
				cell{how + ", gzip", truncated, killed, 0, true})
		}
	}
	return all
}

// rotatedLog is a log and what it was rotated to.
type rotatedLog struct {
	path string
	cell cell
	f    *os.File
	old  int
}

func openLog(dir string, c cell) (*rotatedLog, error) {
	l := &rotatedLog{path: filepath.Join(dir, "app.log"), cell: c}
	return l, l.open()
}

func (l *rotatedLog) open() (err error) {
	l.f, err = os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

// rotate moves the old ones on, as logrotate does.
func (l *rotatedLog) rotate() error {
	for i := l.old; i >= 1; i-- {
		for _, ext := range []string{"", ".gz"} {
			from, to := fmt.Sprintf("%s.%d%s", l.path, i, ext), fmt.Sprintf("%s.%d%s", l.path, i+1, ext)
			err := os.Rename(from, to)
			if i == l.cell.keep {
				err = os.Remove(from)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	l.old++
	if l.cell.keep > 0 {
		l.old = min(l.old, l.cell.keep)
	}
	if err := l.turn(); err != nil {
		return err
	}
	if l.cell.packed {
		return pack(l.path + ".1")
	}
	return nil
}

func (l *rotatedLog) turn() error {
	if l.cell.truncated {
		if err := copyFile(l.path, l.path+".1", func(w io.Writer) io.WriteCloser { return open{w} }); err != nil {
			return err
		}
		return l.f.Truncate(0)
	}
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return err
	}
	return errors.Join(l.f.Close(), l.open())
}

// pack is what gzip does.
func pack(path string) error {
	err := copyFile(path, path+".gz", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	return errors.Join(err, os.Remove(path))
}

// open is a writer that has nothing to close.
type open struct{ io.Writer }

func (open) Close() error { return nil }

func copyFile(from, to string, through func(io.Writer) io.WriteCloser) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	w := through(out)
	_, err = io.Copy(w, in)
	return errors.Join(err, w.Close(), out.Close(), in.Close())
}
