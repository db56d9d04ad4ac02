// Package recordbatch writes and reads Kafka's record batches (version 2 of the message format), the bytes in which
// messages lie on the brokers' disks and cross the network.
//
// A batch is made once, compressed, and may be kept on disk; the producer's identity, the sequence number and the time
// are stamped on it when it is sent, which changes its head and its checksum only. Nothing is allocated for a record.
//
// It leaves out: record headers, transactions and control batches, which nothing here produces; gzip.
package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"imwatch/internal/bus"
)

// HeaderBytes is the size of a batch's head.
const HeaderBytes = 61

// Where the fields of the head begin. All numbers are big-endian.
const (
	atLength   = 8 // bytes behind this field
	atEpoch    = 12
	atMagic    = 16
	atCRC      = 17
	atCodec    = 21 // everything from here on is under the checksum
	atLast     = 23
	atFirstMs  = 27
	atLastMs   = 35
	atProducer = 43
	atGen      = 51
	atSequence = 53
	atCount    = 57

	magic = 2
)

// ErrCorrupt is returned (wrapped) for bytes that are no whole, undamaged batch.
var ErrCorrupt = errors.New("no whole record batch")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Stamp sets who produces the batch, as which of its messages in the partition, and when, and renews the checksum.
func Stamp(batch []byte, as bus.Stamp, at time.Time) error {
	if len(batch) < HeaderBytes {
		return fmt.Errorf("stamping %d bytes: %w", len(batch), ErrCorrupt)
	}
	ms := uint64(at.UnixMilli())
	binary.BigEndian.PutUint64(batch[atFirstMs:], ms)
	binary.BigEndian.PutUint64(batch[atLastMs:], ms)
	binary.BigEndian.PutUint64(batch[atProducer:], uint64(as.ID))
	binary.BigEndian.PutUint16(batch[atGen:], uint16(as.Epoch))
	binary.BigEndian.PutUint32(batch[atSequence:], uint32(as.Sequence))
	seal(batch)
	return nil
}

// seal writes the checksum.
func seal(batch []byte) {
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atCodec:], castagnoli))
}

// Head is what the head of a batch says.
type Head struct {
	bus.Stamp
	Bytes int // of the whole batch
	Count int // of its messages
	Base  int64
	At    time.Time
	Codec Codec
}

// Inspect reads the head of the batch that b begins with and checks that it is whole and undamaged.
func Inspect(b []byte) (Head, error) {
	if len(b) < HeaderBytes {
		return Head{}, fmt.Errorf("%d bytes: %w", len(b), ErrCorrupt)
	}
	size := int64(int32(binary.BigEndian.Uint32(b[atLength:]))) + atEpoch
	if b[atMagic] != magic || size < HeaderBytes || size > int64(len(b)) {
		return Head{}, fmt.Errorf("format %d, %d bytes of %d: %w", b[atMagic], len(b), size, ErrCorrupt)
	}
	b = b[:size]
	if crc := crc32.Checksum(b[atCodec:], castagnoli); crc != binary.BigEndian.Uint32(b[atCRC:]) {
		return Head{}, fmt.Errorf("the checksum is not that of the content: %w", ErrCorrupt)
	}
	h := Head{
		Stamp: bus.Stamp{
			Identity: bus.Identity{ID: int64(binary.BigEndian.Uint64(b[atProducer:])), Epoch: int16(binary.BigEndian.Uint16(b[atGen:]))},
			Sequence: int32(binary.BigEndian.Uint32(b[atSequence:])),
		},
		Bytes: int(size),
		Count: int(int32(binary.BigEndian.Uint32(b[atCount:]))),
		Base:  int64(binary.BigEndian.Uint64(b)),
		At:    time.UnixMilli(int64(binary.BigEndian.Uint64(b[atLastMs:]))),
		Codec: Codec(b[atCodec+1] & 7),
	}
	if h.Count < 0 {
		return Head{}, fmt.Errorf("%d messages: %w", h.Count, ErrCorrupt)
	}
	return h, nil
}
