package geo

import (
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// file is one open database.
type file struct {
	path   string
	reader *maxminddb.Reader
	stamp  stamp
}

// stamp tells one content of a file from another.
type stamp struct {
	size    int64
	changed time.Time
}

func open(path string) (*file, error) {
	f := &file{path: path}
	s, err := f.look()
	if err != nil {
		return nil, err
	}
	if f.reader, err = maxminddb.Open(path); err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	f.stamp = s
	return f, nil
}

func (f *file) look() (stamp, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return stamp{}, fmt.Errorf("looking for the database: %w", err)
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

// refresh opens the file anew if it is another one than before.
func (f *file) refresh() (changed bool, err error) {
	s, err := f.look()
	if err != nil || s == f.stamp {
		return false, err
	}
	fresh, err := open(f.path)
	if err != nil {
		return false, err
	}
	old := f.reader
	f.reader, f.stamp = fresh.reader, fresh.stamp
	if err := old.Close(); err != nil {
		return true, fmt.Errorf("closing the former database %s: %w", f.path, err)
	}
	return true, nil
}

// lookup asks the database. The file is mapped into memory: one that was cut short in place (cp over it, where mv
// belongs) makes its pages fault, which must not end the process.
func (f *file) lookup(addr netip.Addr) (r record, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			r, err = record{}, fmt.Errorf("reading the database %s: %v", f.path, fault)
		}
	}()
	if err := f.reader.Lookup(addr).Decode(&r); err != nil {
		return record{}, fmt.Errorf("reading the database %s: %w", f.path, err)
	}
	return r, nil
}

func (f *file) close() error {
	if err := f.reader.Close(); err != nil {
		return fmt.Errorf("closing the database %s: %w", f.path, err)
	}
	return nil
}
