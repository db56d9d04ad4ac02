package tail

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// content is what a file holds: its bytes, or what they unpack to. Stat tells of the file on the disk.
type content interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// headKept is how much of the beginning of a packed file is kept: what its identity is made of.
const headKept = headMax + tailLen

// unpacked reads what a gzip file holds as if it were not packed. Reading on is cheap. Going back behind the last few
// hundred KiB begins anew, but for the first few, which are kept.
type unpacked struct {
	*os.File
	head   []byte // the first bytes
	short  error  // what stands behind them, when that is all; nil: there is more
	z      io.Reader
	window []byte // what was unpacked last
	end    int64  // where the window ends
	err    error  // what stands there: io.EOF, or why no more can be unpacked; nil: nothing yet
}

// windowBytes is how far back a read may go without beginning anew: as much as is read at once.
const windowBytes = tailLen + chunkBytes

// newUnpacked reads the beginning. Most packed files have been read long ago, and no more is wanted of them.
func newUnpacked(f *os.File, h *heads) (*unpacked, error) {
	head := make([]byte, headKept)
	n, err := h.read(f, head)
	if err != nil && !broken(err) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading a packed file: %w", err)
	}
	return &unpacked{File: f, head: head[:n:n], short: err}, nil
}

// heads reads the beginnings of many packed files with the same memory.
type heads struct {
	z  gzip.Reader
	in bufio.Reader
}

func (h *heads) read(f *os.File, p []byte) (int, error) {
	h.in.Reset(f)
	switch err := h.z.Reset(&h.in); {
	case errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF // nothing of it has been written yet
	case err != nil:
		return 0, err //nolint:wrapcheck // the caller looks at it
	}
	return readFull(&h.z, p)
}

// rest gives back the memory.
func (u *unpacked) rest() { u.z, u.window, u.end, u.err = nil, nil, 0, nil }

// broken says whether an error is of what is packed, not of the reading: it ends too early, or is damaged.
func broken(err error) bool {
	_, path := errors.AsType[*fs.PathError](err)
	return !path && !errors.Is(err, io.EOF)
}

// ReadAt fills p from what the file holds at off. At the end it gives io.EOF; where the file ends too early
// io.ErrUnexpectedEOF; and what is wrong where it is damaged.
func (u *unpacked) ReadAt(p []byte, off int64) (int, error) {
	if end := int64(len(u.head)); u.short != nil || off+int64(len(p)) <= end {
		n := copy(p, u.head[min(off, end):])
		if n < len(p) {
			return n, u.short
		}
		return n, nil
	}
	if u.z == nil || off < u.end-int64(len(u.window)) {
		if err := u.restart(); err != nil {
			return 0, err
		}
	}
	for u.err == nil && u.end < off+int64(len(p)) {
		u.fill()
	}
	lo := u.end - int64(len(u.window))
	if off >= u.end {
		return 0, u.err
	}
	n := copy(p, u.window[off-lo:])
	if n < len(p) {
		return n, u.err
	}
	return n, nil
}

// restart begins anew. What is wrong with the file's beginning is what reading finds there.
func (u *unpacked) restart() error {
	u.rest()
	if _, err := u.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading a packed file: %w", err)
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(u.File, 16<<10))
	switch {
	case err == nil:
		u.z = z
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		u.z = failing{io.ErrUnexpectedEOF} // it is being written
	case broken(err):
		u.z = failing{err}
	default:
		return fmt.Errorf("reading a packed file: %w", err)
	}
	return nil
}

// failing is a reader that has nothing but an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// fill unpacks some more, and drops the oldest when the window is full.
func (u *unpacked) fill() {
	const step = 64 << 10
	if len(u.window)+step > 2*windowBytes {
		u.window = append(u.window[:0], u.window[len(u.window)-windowBytes:]...)
	}
	n := len(u.window)
	u.window = slices.Grow(u.window, step)[:n+step]
	got, err := readFull(u.z, u.window[n:])
	u.window, u.end, u.err = u.window[:n+got], u.end+int64(got), err
}

// readFull fills p, or says why not. Unlike io.ReadFull it leaves the error as it is, which tells the end of the
// content from that of a torn file.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var got int
		got, err = r.Read(p[n:])
		n += got
	}
	if n == len(p) {
		err = nil // it comes again
	}
	return n, err
}

// trailer is what the end of a gzip file says of its content: the checksum and the length modulo 2^32. It holds for
// files of one member, as all tools that pack logs write them.
type trailer struct {
	sum    uint32
	length uint32
	ok     bool
}

// packedLeast is the size of the smallest gzip file.
const packedLeast = 18

func readTrailer(f io.ReaderAt, size int64) (trailer, error) {
	if size < packedLeast {
		return trailer{}, nil
	}
	var b [8]byte
	if _, err := f.ReadAt(b[:], size-int64(len(b))); err != nil {
		return trailer{}, fmt.Errorf("reading the end of a packed file: %w", err)
	}
	return trailer{sum: binary.LittleEndian.Uint32(b[:4]), length: binary.LittleEndian.Uint32(b[4:]), ok: true}, nil
}

// is says whether what the generation was read of is the whole content.
func (t trailer) is(g *generation) bool {
	return t.ok && g.summed && uint32(g.offset) == t.length && g.sum == t.sum //nolint:gosec // modulo 2^32 is meant
}
