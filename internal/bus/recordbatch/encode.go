package recordbatch

import (
	"encoding/binary"

	"imwatch/internal/bus"
)

// Encoder makes batches. Make one with NewEncoder. It is safe for concurrent use.
type Encoder struct {
	codec Codec
	limit int
	free  chan *scratch // kept over collections, for they are large
}

// scratch is what making a batch needs beside its result.
type scratch struct {
	records []byte
	packer  packer
}

// NewEncoder makes an encoder that compresses by codec. limit is how many bytes the messages of a batch may have before
// compression, as Append counts them.
func NewEncoder(codec Codec, limit int) *Encoder {
	return &Encoder{codec: codec, limit: limit, free: make(chan *scratch, keptScratch)}
}

// keptScratch is how many of those who make batches at the same time find memory ready.
const keptScratch = 2

func (e *Encoder) take() *scratch {
	select {
	case s := <-e.free:
		return s
	default:
		return &scratch{}
	}
}

func (e *Encoder) give(s *scratch) {
	select {
	case e.free <- s:
	default:
	}
}

// recordOverhead is more than what a record adds to its key and value, and batchOverhead to its records.
const (
	recordOverhead = 32
	batchOverhead  = 128
)

// Append appends to dst one batch of the first of the messages of ms that pick names, in its order; of all of ms if
// pick is nil. It returns dst and how many of them went into the batch: as many as are within the limit. If not even
// the first is, it is a *bus.TooLargeError that names it by its place in ms. Without messages nothing is appended.
//
// The batch is not stamped yet. It lies at dst[len(dst):] as a whole.
func (e *Encoder) Append(dst []byte, ms []bus.Message, pick []int32) (batch []byte, n int, err error) {
	at := func(i int) *bus.Message { return &ms[i] }
	total := len(ms)
	if pick != nil {
		at = func(i int) *bus.Message { return &ms[pick[i]] }
		total = len(pick)
	}
	if total == 0 {
		return dst, 0, nil
	}
	s := e.take()
	defer e.give(s)
	s.records = s.records[:0]
	for left := e.limit - batchOverhead; n < total; n++ {
		m := at(n)
		size := len(m.Key) + len(m.Value)
		if size > e.limit && n == 0 {
			index := 0
			if pick != nil {
				index = int(pick[0])
			}
			return dst, 0, &bus.TooLargeError{Index: index, Bytes: size}
		}
		if left -= size + recordOverhead; left < 0 && n > 0 {
			break
		}
		s.records = appendRecord(s.records, n, m)
	}
	start := len(dst)
	dst = append(dst, make([]byte, HeaderBytes)...)
	dst = s.packer.pack(dst, e.codec, s.records)
	fillHead(dst[start:], e.codec, n)
	return dst, n, nil
}

func fillHead(batch []byte, codec Codec, n int) {
	binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-atEpoch))
	binary.BigEndian.PutUint32(batch[atEpoch:], ^uint32(0)) // the leader's epoch: the broker sets it
	batch[atMagic] = magic
	binary.BigEndian.PutUint16(batch[atCodec:], uint16(codec))
	binary.BigEndian.PutUint32(batch[atLast:], uint32(n-1))
	binary.BigEndian.PutUint64(batch[atProducer:], ^uint64(0))
	binary.BigEndian.PutUint16(batch[atGen:], ^uint16(0))
	binary.BigEndian.PutUint32(batch[atSequence:], ^uint32(0))
	binary.BigEndian.PutUint32(batch[atCount:], uint32(n))
	seal(batch)
}

// appendRecord appends the nth record: its length, attributes, the differences to the batch's time and offset, key,
// value, and the number of its headers.
func appendRecord(dst []byte, n int, m *bus.Message) []byte {
	const attributes, timeDelta, headers = 0, 0, 0
	size := 3 + varintLen(int64(n)) + bytesLen(m.Key) + bytesLen(m.Value)
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, attributes, timeDelta)
	dst = binary.AppendVarint(dst, int64(n))
	dst = appendBytes(dst, m.Key, len(m.Key) == 0)
	dst = appendBytes(dst, m.Value, false)
	return append(dst, headers)
}

// appendBytes appends a length and the bytes; -1 for none. A key without bytes is none, as everywhere on the bus.
func appendBytes(dst, b []byte, none bool) []byte {
	if none {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func bytesLen(b []byte) int {
	return varintLen(int64(len(b))) + len(b) // -1 is as long as 0
}

// varintLen is how many bytes a number takes in zigzag form.
func varintLen(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
