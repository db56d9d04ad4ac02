package shard

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A frame is one message to one shard: the magic byte, the version of the rules that its router ran, and records, each
// with its kind first. Records of events and watermarks carry how far their offset lies behind the one before.
const frameMagic = 0xF1

// Kind is what a record of a frame is.
type Kind byte

// The kinds of records.
const (
	atPartition Kind = iota + 1 // partition and offset that the next records count from
	Event                       // an event, as its line
	Shipped                     // a watermark: a node and the instant up to which all was delivered
	Heard                       // a node and the greatest event time of events that went to other shards
	Began                       // the least event time that the router has seen in the partition
)

// Record is one record of a frame.
type Record struct {
	Kind      Kind
	Partition int    // of the source topic
	Offset    int64  // of events and watermarks in it
	Line      string // of an event; it shares the frame's memory
	Node      string
	At        int64
}

// frameBytes is how long a frame grows: large enough to be cheap, and well below what brokers take as one message.
const frameBytes = 128 << 10

// Writer makes the frames of one shard. Make it with NewWriter.
type Writer struct {
	version uint64
	buf     []byte
	part    int
	offset  int64
	placed  bool // the frame says where part and offset are
	done    [][]byte
}

// NewWriter makes a writer for a router that runs this version of the rules.
func NewWriter(version uint64) *Writer { return &Writer{version: version} }

// SetVersion has frames begun from now on say another version.
func (w *Writer) SetVersion(version uint64) {
	w.cut()
	w.version = version
}

// Event writes an event.
func (w *Writer) Event(partition int, offset int64, line []byte) {
	w.at(partition, offset, len(line))
	w.buf = append(w.buf, byte(Event))
	w.step(offset)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(line)))
	w.buf = append(w.buf, line...)
}

// Shipped writes a watermark.
func (w *Writer) Shipped(partition int, offset int64, node string, until int64) {
	w.at(partition, offset, len(node))
	w.buf = append(w.buf, byte(Shipped))
	w.step(offset)
	w.node(node, until)
}

// Heard writes how far a node's clock has come.
func (w *Writer) Heard(partition int, node string, at int64) {
	w.at(partition, w.offset, len(node))
	w.buf = append(w.buf, byte(Heard))
	w.node(node, at)
}

// Began writes the least event time of a partition.
func (w *Writer) Began(partition int, at int64) {
	w.at(partition, w.offset, 0)
	w.buf = append(w.buf, byte(Began))
	w.buf = binary.AppendVarint(w.buf, at)
}

// Take gives the frames written since the call before. They belong to the caller.
func (w *Writer) Take() [][]byte {
	w.cut()
	done := w.done
	w.done = nil
	return done
}

// recordBytes is more than a record takes besides its text.
const recordBytes = 48

func (w *Writer) at(partition int, offset int64, size int) {
	if len(w.buf)+size+recordBytes > frameBytes {
		w.cut()
	}
	if w.buf == nil {
		w.buf = append(make([]byte, 0, 8<<10), frameMagic)
		w.buf = binary.LittleEndian.AppendUint64(w.buf, w.version)
	}
	if w.placed && w.part == partition && w.offset <= offset {
		return
	}
	w.part, w.offset, w.placed = partition, offset, true
	w.buf = append(w.buf, byte(atPartition))
	w.buf = binary.AppendUvarint(w.buf, uint64(partition)) //nolint:gosec // never negative
	w.buf = binary.AppendVarint(w.buf, offset)
}

func (w *Writer) step(offset int64) {
	w.buf = binary.AppendUvarint(w.buf, uint64(offset-w.offset)) //nolint:gosec // at sees to it
	w.offset = offset
}

func (w *Writer) node(name string, at int64) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(name)))
	w.buf = append(w.buf, name...)
	w.buf = binary.AppendVarint(w.buf, at)
}

func (w *Writer) cut() {
	if w.buf != nil {
		w.done = append(w.done, w.buf)
	}
	w.buf, w.placed = nil, false
}

// ErrFrame is returned (wrapped) for bytes that are no frame.
var ErrFrame = errors.New("not a usable frame")

// Reader reads a frame. Make it with Open.
type Reader struct {
	Version uint64 // of the rules that the router ran
	rest    string
	size    int
	part    int
	offset  int64
	err     error
}

// Open begins to read a frame.
func Open(frame string) (*Reader, error) {
	if len(frame) < 9 || frame[0] != frameMagic {
		return nil, fmt.Errorf("%w: %d bytes that do not begin as one", ErrFrame, len(frame))
	}
	return &Reader{Version: binary.LittleEndian.Uint64([]byte(frame[1:9])), rest: frame[9:], size: len(frame)}, nil
}

// Err says what is wrong with the frame, after Next gave false.
func (r *Reader) Err() error { return r.err }

// Next gives the next record; false at the end, or where the frame is damaged.
func (r *Reader) Next() (Record, bool) {
	for r.rest != "" && r.err == nil {
		kind := Kind(r.rest[0])
		r.rest = r.rest[1:]
		rec := Record{Kind: kind}
		switch kind {
		case atPartition:
			p := r.uint()
			if p > maxPartition {
				r.fail()
			}
			r.part, r.offset = int(p), r.int() //nolint:gosec // bounded above
			continue
		case Event:
			r.offset += int64(r.uint() & (1<<62 - 1)) //nolint:gosec // masked
			rec.Line = r.text()
		case Shipped:
			r.offset += int64(r.uint() & (1<<62 - 1)) //nolint:gosec // masked
			rec.Node, rec.At = r.text(), r.int()
		case Heard:
			rec.Node, rec.At = r.text(), r.int()
		case Began:
			rec.At = r.int()
		default:
			r.fail()
		}
		rec.Partition, rec.Offset = r.part, r.offset
		return rec, r.err == nil
	}
	return Record{}, false
}

// maxPartition bounds what a damaged frame can make a receiver allocate.
const maxPartition = 1 << 20

func (r *Reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: damaged %d bytes before its end", ErrFrame, len(r.rest))
	}
	r.rest = ""
}

func (r *Reader) uint() uint64 {
	var b [binary.MaxVarintLen64]byte
	u, n := binary.Uvarint(b[:copy(b[:], r.rest)])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return u
}

func (r *Reader) int() int64 {
	var b [binary.MaxVarintLen64]byte
	i, n := binary.Varint(b[:copy(b[:], r.rest)])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return i
}

func (r *Reader) text() string {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// Split cuts a frame into two with half its records each; it gives nothing for a frame of a single one, or none.
func Split(frame []byte) ([][]byte, error) {
	r, err := Open(string(frame))
	if err != nil {
		return nil, err
	}
	var all []Record
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		all = append(all, rec)
	}
	if r.Err() != nil || len(all) < 2 {
		return nil, r.Err()
	}
	w := NewWriter(r.Version)
	for i, rec := range all {
		if i == len(all)/2 {
			w.cut()
		}
		w.record(rec)
	}
	return w.Take(), nil
}

func (w *Writer) record(rec Record) {
	switch rec.Kind {
	case Event:
		w.Event(rec.Partition, rec.Offset, []byte(rec.Line))
	case Shipped:
		w.Shipped(rec.Partition, rec.Offset, rec.Node, rec.At)
	case Heard:
		w.Heard(rec.Partition, rec.Node, rec.At)
	case Began:
		w.Began(rec.Partition, rec.At)
	case atPartition:
	}
}
