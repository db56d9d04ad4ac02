package window

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrCorrupt is what a [Decoder] reports for bytes that no [Encoder] wrote.
var ErrCorrupt = errors.New("corrupt state")

// Encoder writes state in a compact binary form. The zero Encoder is ready.
type Encoder struct{ b []byte }

// Bytes gives what was written. It belongs to the encoder until the next write.
func (e *Encoder) Bytes() []byte { return e.b }

// Uint writes an unsigned number.
func (e *Encoder) Uint(u uint64) { e.b = binary.AppendUvarint(e.b, u) }

// Len writes a length.
func (e *Encoder) Len(n int) { e.Uint(uint64(n)) } //nolint:gosec // a length is never negative

// Int writes a signed number, small ones of either sign in few bytes.
func (e *Encoder) Int(i int64) { e.b = binary.AppendVarint(e.b, i) }

// Fixed writes eight bytes, for hashes, which have no small values.
func (e *Encoder) Fixed(u uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, u) }

// Float writes a number exactly.
func (e *Encoder) Float(f float64) { e.Fixed(math.Float64bits(f)) }

// Bool writes a truth.
func (e *Encoder) Bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// Reset empties the encoder and keeps its memory.
func (e *Encoder) Reset() { e.b = e.b[:0] }

// Blob writes bytes with their length; they are read as a String.
func (e *Encoder) Blob(b []byte) {
	e.Len(len(b))
	e.b = append(e.b, b...)
}

// String writes a string with its length.
func (e *Encoder) String(s string) {
	e.Len(len(s))
	e.b = append(e.b, s...)
}

// Decoder reads what an [Encoder] wrote, in the same order. After the first fault every read gives zero and Err says
// why, so callers check once at the end. It never allocates more than a small multiple of its input.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder reads from b, which is not copied.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Err gives ErrCorrupt after a fault.
func (d *Decoder) Err() error { return d.err }

// Rest gives how many bytes are left.
func (d *Decoder) Rest() int { return len(d.b) }

// Fail makes the decoder report a fault, for callers that find a value impossible.
func (d *Decoder) Fail() {
	d.err, d.b = ErrCorrupt, nil
}

// Uint reads an unsigned number.
func (d *Decoder) Uint() uint64 {
	u, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.b = d.b[n:]
	return u
}

// Len reads a length of things that take at least size bytes each; a longer one than the rest can hold is a fault.
func (d *Decoder) Len(size int) int {
	u := d.Uint()
	if u > uint64(len(d.b)/size) { //nolint:gosec // never negative
		d.Fail()
		return 0
	}
	return int(u) //nolint:gosec // bounded above
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	i, n := binary.Varint(d.b)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.b = d.b[n:]
	return i
}

// Fixed reads eight bytes.
func (d *Decoder) Fixed() uint64 {
	if len(d.b) < 8 {
		d.Fail()
		return 0
	}
	u := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return u
}

// Float reads a number. What is not a number is a fault: nothing writes one.
func (d *Decoder) Float() float64 {
	f := math.Float64frombits(d.Fixed())
	if math.IsNaN(f) {
		d.Fail()
		return 0
	}
	return f
}

// Bool reads a truth.
func (d *Decoder) Bool() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.Fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

// String reads a string.
func (d *Decoder) String() string { return string(d.raw()) }

// raw reads a string and lends its bytes.
func (d *Decoder) raw() []byte {
	n := d.Len(1)
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

// Within gives a decoder for what was written as a Blob.
func (d *Decoder) Within() Decoder { return Decoder{b: d.raw()} }
