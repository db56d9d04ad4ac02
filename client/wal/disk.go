package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"imwatch/internal/disk"
)

// file is where a log is written.
type file interface {
	append(data []byte, sync bool) error
	replace(data []byte) error // at once or not at all, and on the disk when it returns
	close() error
}

// onDisk is a file of the system, and a lock beside it: the file itself is replaced now and then.
type onDisk struct {
	path    string
	f, lock *os.File
}

func openDisk(path string) (*onDisk, []byte, error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := disk.Lock(lock); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s belongs to another process, or to another client of this one: %w", path, err), lock.Close())
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	d := &onDisk{path: path, f: f, lock: lock}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, errors.Join(err, d.close())
	}
	return d, data, nil
}

func (d *onDisk) append(data []byte, sync bool) error {
	if _, err := d.f.Write(data); err != nil {
		return err
	}
	if sync {
		return d.f.Sync()
	}
	return nil
}

func (d *onDisk) replace(data []byte) error {
	name := d.path + ".new"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(name, d.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	old := d.f
	d.f = f
	return errors.Join(old.Close(), disk.SyncDir(filepath.Dir(d.path)))
}

func (d *onDisk) close() error { return errors.Join(d.f.Close(), d.lock.Close()) }
