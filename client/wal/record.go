package wal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A file is a sequence of records: length of the body and its CRC-32C, four bytes each, then the body: a kind, a number
// and data. The first record is the head.
const (
	kindHead   = 'h' // number: the next entry's; data: what all ids begin with
	kindAdd    = 'a' // number: the entry's; data: its own
	kindRemove = 'r' // number: the entry's
)

type record struct {
	kind   byte
	number uint64
	data   []byte
}

const frameBytes = 8

// maxRecord bounds what a length that was hit by a fault can make us read, in bytes.
const maxRecord = 64 << 20

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (r record) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, frameBytes)...)
	dst = append(dst, r.kind)
	dst = binary.AppendUvarint(dst, r.number)
	dst = append(dst, r.data...)
	body := dst[at+frameBytes:]
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(body))) //nolint:gosec // Add bounds it
	binary.LittleEndian.PutUint32(dst[at+4:], castagnoli(body))
	return dst
}

var errTorn = errors.New("not a whole record")

// next reads the record that data begins with, and says how long it is. Its data shares memory.
func next(data []byte) (r record, n int, err error) {
	if len(data) < frameBytes {
		return r, 0, errTorn
	}
	size := binary.LittleEndian.Uint32(data)
	if size < 2 || size > maxRecord || uint64(size) > uint64(len(data)-frameBytes) {
		return r, 0, errTorn
	}
	n = frameBytes + int(size)
	body := data[frameBytes:n]
	if castagnoli(body) != binary.LittleEndian.Uint32(data[4:]) {
		return r, 0, errTorn
	}
	number, used := binary.Uvarint(body[1:])
	if used <= 0 {
		return r, 0, errTorn
	}
	return record{kind: body[0], number: number, data: body[1+used:]}, n, nil
}
