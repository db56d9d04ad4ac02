package framing

import (
	"io"
)

// Limits bounds one message.
type Limits struct {
	Bytes  int // as sent, and unpacked
	Frames int
}

// Received is a message, a control frame, or (Continuation) a fragment with nothing in it, which is of no use and which a
// caller may want to count.
type Received struct {
	Op     Op
	Data   []byte // until the next Read; the text of a close frame
	Code   int    // of a close frame; 1005: it has none
	Wire   int    // bytes of payload as they were sent
	Packed bool
}

// Reader reads what one client sends. An idle one holds nothing but its buffer. Not safe for concurrent use.
type Reader struct {
	src   io.Reader
	pool  *Pool
	buf   []byte
	r, w  int // what is read and not taken is buf[r:w]
	packs bool
	deaf  bool

	units uint32 // messages and lone control frames begun
	begun bool   // one of them, and not whole
	skip  int64  // bytes of payload to pass over

	op      Op // of the message in fragments; 0: there is none
	packed  bool
	frames  int
	wire    int
	msg     *buffer // nil: nothing of it is kept
	checked int     // bytes of msg that are whole UTF-8
	given   *buffer // what Data is in
}

// bufferSize is what is read at once from a socket, in bytes. A control frame fits.
const bufferSize = 1 << 10

// NewReader makes a reader of what comes from src. packs says that permessage-deflate was agreed on.
func NewReader(src io.Reader, pool *Pool, packs bool) Reader {
	return Reader{src: src, pool: pool, buf: make([]byte, bufferSize), packs: packs}
}

// Begun says whether something has begun to come and is not whole, and which in a row it is.
func (r *Reader) Begun() (number uint32, begun bool) { return r.units, r.begun }

// Deafen has all messages passed over from now on; control frames are still given.
func (r *Reader) Deafen() {
	if !r.deaf {
		r.deaf = true
		r.close()
	}
}

// Release gives back what the reader holds. It must not be used again.
func (r *Reader) Release() {
	r.close()
	r.release()
}

// release gives the memory back that the last Data was in.
func (r *Reader) release() {
	r.pool.putBuffer(r.given)
	r.given = nil
}

// close forgets the message that has begun.
func (r *Reader) close() {
	r.pool.putBuffer(r.msg)
	r.msg, r.op = nil, 0
}

// Wait returns when there is something to read, or nothing more will come: Read before it has more on the stack. The error
// is one of src, as Read gives it.
func (r *Reader) Wait() error {
	if r.r < r.w {
		return nil
	}
	return r.fill(1)
}

// Read gives what comes next whole. It blocks in src only. An error is one of src, io.EOF between frames and
// io.ErrUnexpectedEOF within one, or an *Error.
func (r *Reader) Read(l Limits) (Received, error) {
	r.release()
	for {
		if err := r.pass(); err != nil {
			return Received{}, err
		}
		h, err := r.header()
		if err != nil {
			return Received{}, err
		}
		switch {
		case h.control():
			return r.control(&h)
		case r.deaf:
			r.skip = h.length
			continue
		}
		got, ready, err := r.data(&h, l)
		if bad, ok := err.(*Error); ok && !bad.Broken { //nolint:errorlint // it is never wrapped
			r.Deafen()
		}
		if ready || err != nil {
			return got, err
		}
	}
}

// pass passes over payload that nobody wants.
func (r *Reader) pass() error {
	for r.skip > 0 {
		if r.r == r.w {
			if err := r.fill(1); err != nil {
				return err
			}
		}
		n := int(min(r.skip, int64(r.w-r.r)))
		r.r += n
		r.skip -= int64(n)
	}
	r.begun = r.op != 0
	return nil
}

// header reads a frame's header.
func (r *Reader) header() (header, error) {
	if err := r.fill(2); err != nil {
		return header{}, err
	}
	if r.buf[r.r+1]&0x80 == 0 {
		return header{}, broken("a frame without a mask")
	}
	size := headerSize(r.buf[r.r+1])
	if err := r.fill(size); err != nil {
		return header{}, err
	}
	h, bad := parseHeader(r.buf[r.r:r.r+size], r.packs)
	if bad != nil {
		return h, bad
	}
	r.r += size
	return h, nil
}

// fill has at least n bytes in the buffer.
func (r *Reader) fill(n int) error {
	if r.r == r.w {
		r.r, r.w = 0, 0
	} else if r.r+n > len(r.buf) {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for r.w-r.r < n {
		if r.w > r.r {
			r.begin()
		}
		k, err := r.src.Read(r.buf[r.w:])
		r.w += k
		if k == 0 && err != nil {
			return r.failed(err)
		}
	}
	r.begin()
	return nil
}

// begin notes that something has begun.
func (r *Reader) begin() {
	if !r.begun {
		r.begun = true
		r.units++
	}
}

func (r *Reader) failed(err error) error {
	if err == io.EOF && r.begun { //nolint:errorlint // a reader gives it as it is
		return io.ErrUnexpectedEOF
	}
	return err
}

// control gives a control frame.
func (r *Reader) control(h *header) (Received, error) {
	n := int(h.length)
	if err := r.fill(n); err != nil {
		return Received{}, err
	}
	got := Received{Op: h.op, Data: r.buf[r.r : r.r+n : r.r+n], Wire: n}
	r.r += n
	r.begun = r.op != 0
	unmask(h.mask, 0, got.Data)
	if h.op != Close {
		return got, nil
	}
	var bad *Error
	if got.Code, got.Data, bad = parseClose(got.Data); bad != nil {
		return got, bad
	}
	return got, nil
}
