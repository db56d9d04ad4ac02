package recordbatch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"imwatch/internal/bus"
)

// mostUnpacked bounds what a batch may unpack to, so that a damaged or evil one does not take the memory: a batch has
// at most what a bus takes for one.
const mostUnpacked = 128 << 20

// Messages unpacks a batch. Offset is the place in the batch; keys and values are new memory.
func Messages(batch []byte) ([]bus.Message, error) {
	h, err := Inspect(batch)
	if err != nil {
		return nil, err
	}
	raw, err := unpack(h.Codec, batch[HeaderBytes:h.Bytes])
	if err != nil {
		return nil, fmt.Errorf("unpacking a batch: %w", err)
	}
	out := make([]bus.Message, 0, min(h.Count, len(raw)/7+1)) // seven bytes are the least of a record
	for i := range h.Count {
		var m bus.Message
		if m, raw, err = readRecord(raw); err != nil {
			return nil, fmt.Errorf("reading message %d of %d: %w", i, h.Count, err)
		}
		m.Offset, m.Time = int64(i), h.At
		out = append(out, m)
	}
	if len(raw) > 0 {
		return nil, fmt.Errorf("%d bytes behind the last message: %w", len(raw), ErrCorrupt)
	}
	return out, nil
}

func unpack(codec Codec, src []byte) ([]byte, error) {
	switch codec {
	case None:
		return bytes.Clone(src), nil
	case LZ4:
		return readAll(lz4.NewReader(bytes.NewReader(src)))
	case Zstd:
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostUnpacked))
		if err != nil {
			return nil, err // the caller says what it was doing
		}
		defer d.Close()
		return d.DecodeAll(src, nil)
	case Snappy:
		return unpackSnappy(src)
	}
	return nil, codec.unknown()
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostUnpacked+1))
	if err == nil && len(b) > mostUnpacked {
		err = fmt.Errorf("more than %d bytes: %w", mostUnpacked, ErrCorrupt)
	}
	return b, err
}

func unpackSnappy(src []byte) ([]byte, error) {
	rest, framed := bytes.CutPrefix(src, snappyFrame[:])
	if !framed {
		return nil, fmt.Errorf("snappy without its frame: %w", ErrCorrupt)
	}
	var out []byte
	for len(rest) > 0 {
		block, after, ok := cut(rest, 4)
		if !ok {
			return nil, fmt.Errorf("a snappy block's length: %w", ErrCorrupt)
		}
		packed, after, ok := cut(after, int64(binary.BigEndian.Uint32(block)))
		if !ok {
			return nil, fmt.Errorf("a snappy block: %w", ErrCorrupt)
		}
		n, err := snappy.DecodedLen(packed)
		if err != nil {
			return nil, err
		}
		if n+len(out) > mostUnpacked {
			return nil, fmt.Errorf("more than %d bytes: %w", mostUnpacked, ErrCorrupt)
		}
		b, err := snappy.Decode(nil, packed)
		if err != nil {
			return nil, err
		}
		out, rest = append(out, b...), after
	}
	return out, nil
}

// cut takes n bytes off b, if there are as many.
func cut(b []byte, n int64) (head, rest []byte, ok bool) {
	if n < 0 || n > int64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// readRecord reads the record that b begins with.
func readRecord(b []byte) (m bus.Message, rest []byte, err error) {
	size, b, ok := number(b)
	record, rest, whole := cut(b, size)
	if !ok || !whole || size < 1 {
		return m, nil, fmt.Errorf("its length: %w", ErrCorrupt)
	}
	record = record[1:] // attributes
	if _, record, ok = number(record); ok {
		_, record, ok = number(record)
	}
	if ok {
		m.Key, record, ok = sized(record)
	}
	if ok {
		m.Value, record, ok = sized(record)
	}
	if ok {
		record, ok = skipHeaders(record)
	}
	if !ok || len(record) > 0 {
		return m, nil, fmt.Errorf("its fields: %w", ErrCorrupt)
	}
	return m, rest, nil
}

func skipHeaders(b []byte) (rest []byte, ok bool) {
	n, b, ok := number(b)
	if n < 0 {
		return nil, false
	}
	for ; ok && n > 0; n-- {
		if _, b, ok = sized(b); ok {
			_, b, ok = sized(b)
		}
	}
	return b, ok
}

func number(b []byte) (v int64, rest []byte, ok bool) {
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// sized reads a length and as many bytes; nil for the length -1.
func sized(b []byte) (field, rest []byte, ok bool) {
	n, b, ok := number(b)
	if ok && n == -1 {
		return nil, b, true
	}
	if !ok {
		return nil, nil, false
	}
	return cut(b, n)
}
