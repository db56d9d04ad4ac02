package parquet

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"imwatch/internal/disk"
	"imwatch/shipper/index/chunk"
)

const (
	rowsAtOnce = 512       // rows that are made before they go into the columns
	dictionary = 256 << 10 // bytes of a column's dictionary, past which its values are written as they are
)

// file is one that is being written, under a name that nobody reads.
type file struct {
	f    *os.File
	buf  *bufio.Writer
	w    *parquet.GenericWriter[any]
	rows rows
}

func create(dir string, l layout, codec compress.Codec, c chunk.Chunk) (*file, error) {
	f, err := os.CreateTemp(dir, "*.tmp")
	if err != nil {
		return nil, err
	}
	out := &file{f: f, buf: bufio.NewWriterSize(f, 256<<10), rows: rows{of: l}}
	out.w = parquet.NewGenericWriter[any](out.buf, l.schema, parquet.Compression(codec), parquet.DictionaryMaxBytes(dictionary),
		parquet.CreatedBy("imwatch", "", ""), parquet.MaxRowsPerRowGroup(128<<10),
		parquet.KeyValueMetadata("imwatch.topic", c.Topic), parquet.KeyValueMetadata("imwatch.partition", strconv.Itoa(c.Partition)),
		parquet.KeyValueMetadata("imwatch.from", strconv.FormatInt(c.From, 10)), parquet.KeyValueMetadata("imwatch.to", strconv.FormatInt(c.To, 10)))
	return out, nil
}

// flush gives the rows to the columns, when there are enough of them or whatever is left.
func (f *file) flush(all bool) error {
	if f.rows.n < rowsAtOnce && !all || f.rows.n == 0 {
		return nil
	}
	if _, err := f.w.WriteRows(f.rows.take()); err != nil {
		return err
	}
	f.rows.reset()
	return nil
}

// publish puts the file on the disk and then under its name, in place of one that is there.
func (f *file) publish(name string) error {
	err := f.flush(true)
	if err == nil {
		err = f.w.Close()
	}
	if err == nil {
		err = f.buf.Flush()
	}
	if err == nil {
		err = f.f.Chmod(0o644)
	}
	if err == nil {
		err = f.f.Sync()
	}
	if err != nil {
		return err
	}
	if err := makeDir(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.Rename(f.f.Name(), name); err != nil {
		return err
	}
	err = f.f.Close()
	f.f = nil
	return errors.Join(err, disk.SyncDir(filepath.Dir(name)))
}

// discard deletes a file that was not published; one that was it leaves alone.
func (f *file) discard() error {
	if f.f == nil {
		return nil
	}
	err := errors.Join(f.f.Close(), os.Remove(f.f.Name()))
	f.f = nil
	return err
}

// makeDir makes a folder and those above it, and has each on the disk.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return disk.SyncDir(filepath.Dir(dir))
}
