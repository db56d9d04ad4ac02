// Package journal is a file that outlives a crash: records are appended, forced onto the disk, and taken out from the
// front when they have been dealt with. It holds what a node has promised while the cluster is lost.
//
// What it leaves out: what records mean. A Journal has one user at a time; only Len and Bytes are safe for others.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"imwatch/internal/disk"
)

// ErrFull says that the journal has reached its bound.
var ErrFull = errors.New("the journal is full")

const (
	magic     = "imjrnl1\n"
	frameHead = 8       // length and CRC, 4 bytes each, little-endian
	maxRecord = 8 << 20 // a longer one in a file is damage
	kindData  = 'r'
	kindDone  = 'd' // the number, 4 bytes, of records at the front that are dealt with
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Journal is an open journal.
type Journal struct {
	file    *os.File
	limit   int64
	end     int64   // of what is whole
	waiting []int64 // where the records that are not dealt with begin
	torn    int64
	broken  error
	buf     []byte

	count atomic.Int64
	bytes atomic.Int64
}

// Open opens the journal at path, made where there is none, with at most limit bytes in it, and reads what it holds. A
// record that a crash tore, at the end, is cut off: nobody was promised it. No other process may have it open.
func Open(path string, limit int64) (*Journal, error) {
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: f, limit: limit}
	if err := errors.Join(j.recover(), disk.SyncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal %s: %w", path, err), f.Close())
	}
	return j, nil
}

// Len is the number of records that are not dealt with; Bytes is the size of the file. Both are safe for concurrent use.
func (j *Journal) Len() int { return int(j.count.Load()) }

// Bytes is the size of the file.
func (j *Journal) Bytes() int64 { return j.bytes.Load() }

// Torn is how many bytes were cut off when the journal was opened.
func (j *Journal) Torn() int64 { return j.torn }

// Append adds records, all or none: when it returns nil they are on the disk. ErrFull when they would not fit.
func (j *Journal) Append(records ...[]byte) error {
	if j.broken != nil {
		return j.broken
	}
	j.buf = j.buf[:0]
	starts := make([]int64, 0, len(records))
	for _, r := range records {
		if len(r) >= maxRecord {
			return fmt.Errorf("adding to the journal: a record of %d bytes is too long", len(r))
		}
		starts = append(starts, j.end+int64(len(j.buf)))
		j.buf = appendFrame(j.buf, kindData, r)
	}
	if j.end+int64(len(j.buf)) > j.limit {
		return ErrFull
	}
	if err := j.write(); err != nil {
		return err
	}
	j.waiting = append(j.waiting, starts...)
	j.tell()
	return nil
}

// Next gives the oldest records that are not dealt with, at most n.
func (j *Journal) Next(n int) ([][]byte, error) {
	n = min(n, len(j.waiting))
	out := make([][]byte, n)
	for i := range out {
		kind, data, _, err := j.frame(j.waiting[i])
		if err == nil && kind != kindData {
			err = errDamaged
		}
		if err != nil {
			return nil, fmt.Errorf("reading the journal at %d: %w", j.waiting[i], err)
		}
		out[i] = data
	}
	return out, nil
}

// Done takes out the n oldest records. When it returns nil they never come again.
func (j *Journal) Done(n int) error {
	if j.broken != nil {
		return j.broken
	}
	if n == len(j.waiting) {
		return j.empty()
	}
	j.buf = appendFrame(j.buf[:0], kindDone, binary.LittleEndian.AppendUint32(nil, uint32(n)))
	if err := j.write(); err != nil {
		return err
	}
	j.waiting = j.waiting[n:]
	j.tell()
	return nil
}

// Close closes the file.
func (j *Journal) Close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}

// empty is Done with all of it: the file begins anew.
func (j *Journal) empty() error {
	if len(j.waiting) == 0 && j.end == int64(len(magic)) {
		return nil
	}
	if err := errors.Join(j.file.Truncate(int64(len(magic))), j.file.Sync()); err != nil {
		j.broken = fmt.Errorf("emptying the journal: %w", err)
		return j.broken
	}
	j.waiting, j.end = nil, int64(len(magic))
	j.tell()
	return nil
}

// write puts buf at the end and forces it onto the disk. What failed is cut off again; where that fails too, or the disk
// did not take what was written (the system may then believe that it has), the journal is of no use until it is reopened.
func (j *Journal) write() error {
	_, err := j.file.WriteAt(j.buf, j.end)
	if err != nil {
		err = fmt.Errorf("writing the journal: %w", err)
		if cut := j.file.Truncate(j.end); cut != nil {
			j.broken = errors.Join(err, cut)
		}
		return err
	}
	if err := j.file.Sync(); err != nil {
		j.broken = fmt.Errorf("forcing the journal onto the disk: %w", err)
		return errors.Join(j.broken, j.file.Truncate(j.end))
	}
	j.end += int64(len(j.buf))
	return nil
}

func (j *Journal) tell() {
	j.count.Store(int64(len(j.waiting)))
	j.bytes.Store(j.end)
}

func appendFrame(dst []byte, kind byte, data []byte) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)+1))
	dst = append(dst, 0, 0, 0, 0, kind)
	dst = append(dst, data...)
	sum := crc32.Checksum(dst[at+frameHead:], crcTable)
	binary.LittleEndian.PutUint32(dst[at+4:], sum)
	return dst
}

var errDamaged = errors.New("the record is damaged")

// frame reads the frame at an offset and says where the next one begins.
func (j *Journal) frame(at int64) (kind byte, data []byte, next int64, err error) {
	var head [frameHead]byte
	if _, err := j.file.ReadAt(head[:], at); err != nil {
		return 0, nil, 0, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > maxRecord {
		return 0, nil, 0, errDamaged
	}
	body := make([]byte, n)
	if _, err := j.file.ReadAt(body, at+frameHead); err != nil {
		return 0, nil, 0, err
	}
	if crc32.Checksum(body, crcTable) != binary.LittleEndian.Uint32(head[4:]) {
		return 0, nil, 0, errDamaged
	}
	return body[0], body[1:], at + frameHead + int64(n), nil
}

// recover finds what is whole, and cuts the rest off.
func (j *Journal) recover() error {
	info, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("asking for its size: %w", err)
	}
	size := info.Size()
	head := make([]byte, min(size, int64(len(magic))))
	if _, err := j.file.ReadAt(head, 0); err != nil {
		return fmt.Errorf("reading its beginning: %w", err)
	}
	if string(head) != magic[:len(head)] {
		return errors.New("it is no journal: give it a file of its own")
	}
	if len(head) < len(magic) {
		if _, err := j.file.WriteAt([]byte(magic), 0); err != nil {
			return fmt.Errorf("writing its beginning: %w", err)
		}
		size = int64(len(magic))
	}
	j.end = int64(len(magic))
	if err := j.scan(); err != nil {
		return err
	}
	j.torn = size - j.end
	j.tell()
	if err := errors.Join(j.file.Truncate(j.end), j.file.Sync()); err != nil {
		return fmt.Errorf("cutting off what is torn: %w", err)
	}
	return nil
}

func (j *Journal) scan() error {
	for {
		kind, data, next, err := j.frame(j.end)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errDamaged):
			return nil
		case err != nil:
			return fmt.Errorf("reading it at %d: %w", j.end, err)
		case kind == kindData:
			j.waiting = append(j.waiting, j.end)
		case kind == kindDone && len(data) == 4:
			n := min(int(binary.LittleEndian.Uint32(data)), len(j.waiting))
			j.waiting = j.waiting[n:]
		default:
			return fmt.Errorf("at %d: a record of kind %q is not known; a later version wrote it", j.end, kind)
		}
		j.end = next
	}
}

// openLocked opens the file so that no other process has it too.
func openLocked(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("making the journal's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if err := disk.Lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal, which another server may use: %w", err), f.Close())
	}
	return f, nil
}
