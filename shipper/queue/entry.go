package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// Entry is one entry of the queue.
type Entry struct {
	Number  uint64    // entries are numbered without holes
	At      time.Time // when it was appended
	Payload []byte
	Bytes   int64 // that it takes in the queue
}

// An entry's head: checksum of all that follows, length of the payload, number, time in Unix nanoseconds.
const (
	headBytes = 24
	atSize    = 4
	atNumber  = 8
	atTime    = 16
)

// MaxPayload bounds an entry: a length above it is damage.
const MaxPayload = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// head makes the head of an entry whose payload is the parts one after the other.
func head(number uint64, at time.Time, parts [][]byte) (h [headBytes]byte, size int) {
	for _, p := range parts {
		size += len(p)
	}
	binary.LittleEndian.PutUint32(h[atSize:], uint32(size)) //nolint:gosec // Append bounds it
	binary.LittleEndian.PutUint64(h[atNumber:], number)
	binary.LittleEndian.PutUint64(h[atTime:], uint64(at.UnixNano())) //nolint:gosec // the bits
	crc := crc32.Checksum(h[atSize:], castagnoli)
	for _, p := range parts {
		crc = crc32.Update(crc, castagnoli, p)
	}
	binary.LittleEndian.PutUint32(h[:], crc)
	return h, size
}

// errTorn is what does not hold a whole entry.
var errTorn = errors.New("no whole entry")

// readEntry reads the entry at an offset into buf, which grows as needed. What is there but no whole entry is an
// errTorn; the end is an io.EOF.
func readEntry(f io.ReaderAt, off, end int64, buf []byte) (Entry, error) {
	if off == end {
		return Entry{}, io.EOF
	}
	var h [headBytes]byte
	if end-off < headBytes {
		return Entry{}, fmt.Errorf("%d bytes of its head: %w", end-off, errTorn)
	}
	if _, err := f.ReadAt(h[:], off); err != nil {
		return Entry{}, err
	}
	size := int64(binary.LittleEndian.Uint32(h[atSize:]))
	if size > MaxPayload || size > end-off-headBytes {
		return Entry{}, fmt.Errorf("%d of %d bytes: %w", end-off-headBytes, size, errTorn)
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if size > 0 {
		if _, err := f.ReadAt(buf, off+headBytes); err != nil {
			return Entry{}, err
		}
	}
	crc := crc32.Update(crc32.Checksum(h[atSize:], castagnoli), castagnoli, buf)
	if crc != binary.LittleEndian.Uint32(h[:]) {
		return Entry{}, fmt.Errorf("its checksum is not that of its content: %w", errTorn)
	}
	return Entry{
		Number: binary.LittleEndian.Uint64(h[atNumber:]), At: time.Unix(0, int64(binary.LittleEndian.Uint64(h[atTime:]))), //nolint:gosec // the bits
		Payload: buf, Bytes: headBytes + size,
	}, nil
}
