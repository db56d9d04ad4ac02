package framing

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Pool keeps the memory that the readers and writers of one server need only for a time. Safe for concurrent use.
type Pool struct {
	buffers, unpackers, packers sync.Pool
}

// NewPool makes an empty pool.
func NewPool() *Pool {
	return &Pool{
		buffers:   sync.Pool{New: func() any { return new(buffer) }},
		unpackers: sync.Pool{New: func() any { return &unpacker{flate: flate.NewReader(bytes.NewReader(nil))} }},
		packers:   sync.Pool{New: func() any { return new(packer) }},
	}
}

// buffer is a message, or as much as has come of it.
type buffer struct{ b []byte }

// keepBuffer is the largest buffer that is kept for another message, in bytes.
const keepBuffer = 16 << 10

func (p *Pool) buffer() *buffer {
	b, _ := p.buffers.Get().(*buffer)
	return b
}

func (p *Pool) putBuffer(b *buffer) {
	if b != nil && cap(b.b) <= keepBuffer {
		b.b = b.b[:0]
		p.buffers.Put(b)
	}
}

// room gives free space behind what there is, at most `most` bytes, and no more than there is already or half a KiB.
func (b *buffer) room(most int64) []byte {
	if len(b.b) == cap(b.b) {
		b.b = slices.Grow(b.b, int(min(most, int64(max(512, len(b.b))))))
	}
	free := b.b[len(b.b):cap(b.b)]
	return free[:min(most, int64(len(free)))]
}

// tail stands at the end of a packed message and is left out, RFC 7692 section 7.2.1. What follows it here is a last,
// empty block, for the unpacker to know its end.
const (
	tail = "\x00\x00\xff\xff"
	last = "\x01\x00\x00\xff\xff"
)

// unpacker unpacks messages, one after another.
type unpacker struct {
	src   bytes.Reader
	flate io.ReadCloser
}

// unpack appends the message in src, to which it adds a tail, to dst. It stops beyond most bytes.
func (p *Pool) unpack(dst, src *buffer, most int) *Error {
	u, _ := p.unpackers.Get().(*unpacker)
	defer p.unpackers.Put(u)
	src.b = append(append(src.b, tail...), last...)
	u.src.Reset(src.b)
	defer u.src.Reset(nil)
	if reset, ok := u.flate.(flate.Resetter); !ok || reset.Reset(&u.src, nil) != nil {
		return &Error{Kind: KindPacked, Code: closeBadData, Text: "a packed message that cannot be unpacked"}
	}
	for {
		n, err := u.flate.Read(dst.room(int64(most + 1 - len(dst.b))))
		dst.b = dst.b[:len(dst.b)+n]
		switch {
		case len(dst.b) > most:
			return tooBig(KindUnpacked, "a message of more than %d bytes when it is unpacked", most)
		case err == io.EOF:
			return nil
		case err != nil:
			return &Error{Kind: KindPacked, Code: closeBadData, Text: "a packed message that cannot be unpacked: " + err.Error()}
		}
	}
}

// packer collects what is packed.
type packer struct{ b []byte }

func (p *packer) Write(b []byte) (int, error) {
	p.b = append(p.b, b...)
	return len(b), nil
}

// Pack appends src to dst, packed by itself, so that it may stand behind something else that is, and PackLast behind it. It holds no memory between two calls.
func (p *Pool) Pack(dst, src []byte) []byte {
	w, _ := p.packers.Get().(*packer)
	w.b = dst
	_ = flate.StatelessDeflate(w, src, false, nil) // it fails only when writing does
	dst, w.b = w.b, nil
	p.packers.Put(w)
	return dst
}

// AppendStored appends b to a packed message as it is. It has at most 65,535 bytes.
func AppendStored(dst, b []byte) []byte {
	n := uint16(len(b)) //nolint:gosec // as said
	return append(append(dst, 0, byte(n), byte(n>>8), byte(^n), byte(^n>>8)), b...)
}

// PackLast is Pack of what is the last of a message.
func (p *Pool) PackLast(dst, src []byte) []byte {
	dst = p.Pack(dst, src)
	return dst[:len(dst)-len(tail)]
}
