package parse

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"imwatch/event"
	"imwatch/shipper/parse/fault"
)

// LineError says why a line is no event. Trying again never helps.
type LineError = fault.Error

// Reasons gives the classes of faults that a line of a file can have.
func Reasons() []string {
	return []string{"json", "utf8", "duplicate", "type", "missing", "too_large", "pattern", "time", "action", "id", "reserved"}
}

// FaultOf gives the fault that err is, of this package or of package event.
func FaultOf(err error) (LineError, bool) {
	if f, ok := errors.AsType[*LineError](err); ok {
		return *f, true
	}
	if d, ok := errors.AsType[*event.DecodeError](err); ok {
		return LineError{Reason: d.Reason, Detail: d.Error()}, true
	}
	return LineError{}, false
}

// Origin is where a line stands.
type Origin struct {
	File       string // as it is written into the event
	Offset     int64
	Generation string // what the offset counts in; the same for every copy of the file
}

// Parser makes a record of a line.
type Parser interface {
	// Parse appends the record, one JSON object, to dst, and leaves in e what it says, which shares memory with line
	// until the next call. The line is without its newline. Errors are ErrIgnored, ErrSampled, or for FaultOf.
	Parse(dst []byte, e *event.Event, line string, at Origin) ([]byte, error)
}

// Defaults is what a line does not say of itself.
type Defaults struct {
	Service     string // service.name
	Environment string // service.environment
	Node        string // service.node.name
}

// MaxID is the longest event.id that a store takes as a document id, in bytes.
const MaxID = 512

// MakeID gives the id of a line that has none: the same whenever and from whichever copy the line is read. It begins
// with the event time, so that ids made at about the same time stand together.
func MakeID(line string, at Origin, t time.Time) string {
	h := sha256.New()
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(at.Offset)) // an offset is never negative
	_, _ = h.Write([]byte(at.Generation))
	_, _ = h.Write(head[:])
	_, _ = h.Write([]byte(line))
	var sum [sha256.Size]byte
	binary.BigEndian.PutUint64(head[:], uint64(t.UnixMilli())<<16) // wraps before 1970, still unique
	return hex.EncodeToString(append(head[:6:6], h.Sum(sum[:0])[:10]...))
}

// bounded gives rec, what was appended to dst, unless the record became longer than those who read it allow.
func bounded(rec, dst []byte) ([]byte, error) {
	if n := len(rec) - len(dst); n > event.MaxLine {
		return dst, fault.New("too_large", "%d bytes with what the shipper adds, at most %d are allowed", n, event.MaxLine)
	}
	return rec, nil
}

// extra splices members into a line of JSON.
type extra struct{ dst []byte }

func (x *extra) text(name, value string) {
	if value == "" {
		return
	}
	x.dst = append(x.dst, `,"`...)
	x.dst = append(x.dst, name...)
	x.dst = append(x.dst, `":`...)
	x.dst = event.AppendString(x.dst, value)
}

func (x *extra) long(name string, n int64) {
	x.dst = append(x.dst, `,"`...)
	x.dst = append(x.dst, name...)
	x.dst = append(x.dst, `":`...)
	x.dst = strconv.AppendInt(x.dst, n, 10)
}

// field adds one of the event's fields, if it has it.
func (x *extra) field(e *event.Event, id event.FieldID) {
	if e.Has(id) {
		x.dst = append(x.dst, `,"`...)
		x.dst = append(x.dst, event.FieldByID(id).Name...)
		x.dst = append(x.dst, `":`...)
		x.dst = e.AppendValue(x.dst, id)
	}
}
