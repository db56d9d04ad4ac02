package tail

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// headMax is how many bytes of the first line count for the identity: more than any two lines of a log have in common
// at their beginning.
const headMax = 4096

// file is one file as it lies on the disk, whatever it is called.
type file struct {
	path    string
	key     inode
	f       content // nil while nothing is to be read
	size    int64   // of the content; of a packed one's what its end says, until its end was reached
	disk    int64   // what it takes on the disk
	mtime   time.Time
	changed time.Time // when size or mtime were last seen to change
	gone    bool      // no name in its directory any more
	parked  bool      // closed, to be opened again when there is something to be read
	place   *list.Element
	opened  *opened // the list that place is in

	packed bool    // by gzip: it is read as what it unpacks to, and never is the live one
	end    trailer // of a packed one
	done   bool    // of a packed one: all that can be read of it was

	gen     *generation // nil until the first line is complete
	zeros   int64       // how many bytes 0 stand before the first line; -1: not known
	headLen int         // how many bytes the generation's head was made of
	never   []ID        // generations that it is known not to hold

	more    bool  // a read may find something
	held    int64 // the size at which the rest was an unfinished line; -1: none
	flush   bool  // nothing will follow: the rest counts as it is
	pending bool  // the rest is whole lines that more may belong to
	full    int64 // the size at which nothing more will belong to them; -1: it may
}

func openFile(path string, now time.Time, h *heads) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a log file: %w", err)
	}
	x := &file{path: path, f: f, held: -1, full: -1, zeros: -1, changed: now, packed: gzipped(path)}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a log file: %w", err), f.Close())
	}
	x.key, x.size, x.disk, x.mtime = inodeOf(info, path), info.Size(), info.Size(), info.ModTime()
	if x.mtime.Before(now) {
		x.changed = x.mtime
	}
	if x.packed {
		if err := x.unpack(f, h); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return x, nil
}

// unpack makes what the file unpacks to its content.
func (x *file) unpack(f *os.File, h *heads) error {
	end, err := readTrailer(f, x.disk)
	if err != nil {
		return err
	}
	u, err := newUnpacked(f, h)
	if err != nil {
		return err
	}
	x.f, x.end, x.done, x.size = u, end, false, int64(end.length)
	for x.size+x.size/1000+1024 < x.disk { // packing never makes it longer than that; the length is said modulo 2^32
		x.size += 1 << 32
	}
	return nil
}

// begins tells where the first line begins: behind the bytes 0 that are left where a log was truncated under a writer
// that does not append, which goes on where it was. It is false while there are no others.
func (x *file) begins() (int64, bool, error) {
	if x.zeros >= 0 {
		return x.zeros, true, nil
	}
	at, err := x.behindZeros(0)
	if err != nil || at < 0 {
		return 0, false, err
	}
	x.zeros = at
	return at, true, nil
}

// behindZeros gives the position of the first byte from off on that is not 0, -1 where there is none.
func (x *file) behindZeros(off int64) (int64, error) {
	buf := make([]byte, 64)
	for {
		n, err := x.f.ReadAt(buf, off)
		if i := slices.IndexFunc(buf[:n], func(c byte) bool { return c != 0 }); i >= 0 {
			return off + int64(i), nil
		}
		off += int64(n)
		if errors.Is(err, io.EOF) || err != nil && x.packed && broken(err) {
			return -1, nil
		}
		if err != nil {
			return -1, fmt.Errorf("reading %s: %w", x.path, err)
		}
		if len(buf) < chunkBytes {
			buf = make([]byte, chunkBytes)
		}
	}
}

func (x *file) close() {
	x.parked = false
	if x.f != nil {
		_ = x.f.Close() // opened for reading only: nothing can be lost
		x.f = nil
		if x.place != nil {
			x.opened.Remove(x.place)
			x.place = nil
		}
	}
}

// head gives the hash of the first line, or of its first headMax bytes, and how many bytes that is; ok is false while
// the line is not complete. With final it takes what is there.
func (x *file) head(final bool) (sum string, n int, ok bool, err error) {
	at, ok, err := x.begins()
	if err != nil || !ok {
		return "", 0, false, err
	}
	buf := make([]byte, headMax)
	got, err := x.f.ReadAt(buf, at)
	if err != nil && !errors.Is(err, io.EOF) && (!x.packed || !broken(err)) {
		return "", 0, false, fmt.Errorf("reading the first line of %s: %w", x.path, err)
	}
	n = bytes.IndexByte(buf[:got], '\n') + 1
	switch {
	case n > 0:
	case got == headMax, final && got > 0:
		n = got
	default:
		return "", 0, false, nil
	}
	return headHash(buf[:n]), n, true, nil
}

func headHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// stillHead says whether the file begins as its generation does. A file that was truncated and written again does
// not, however long it has become.
func (x *file) stillHead() bool {
	buf := make([]byte, x.headLen)
	if _, err := x.f.ReadAt(buf, x.zeros); err != nil {
		return false
	}
	return headHash(buf) == x.gen.id.Head
}

// agrees says whether what follows the first line is what follows it in the generation, and for how many bytes both
// are known. Logs whose files all begin with the same line are told apart by it. The file that is read also teaches
// the generation more of it; of another one it is not sure yet whether it is a copy.
func (x *file) agrees(g *generation) (known int, ok bool) {
	from := x.zeros + int64(x.headLen)
	buf := make([]byte, tailLen)
	if !x.packed {
		buf = buf[:min(tailLen, max(0, x.size-from))]
	}
	n, err := x.f.ReadAt(buf, from)
	if err != nil && !errors.Is(err, io.EOF) && (!x.packed || !broken(err)) {
		return 0, false
	}
	known = min(n, len(g.next))
	if !bytes.Equal(buf[:known], g.next[:known]) {
		return 0, false
	}
	if g.cur == x || len(g.files) == 1 && g.files[0] == x {
		g.next = append(g.next, buf[known:n]...)
	}
	return known, true
}

// fits says whether the file may hold what was read of the generation. One that is shorter than what was read is a
// copy, being made or cut short; unless it is the very file that was read, which then was truncated.
func (x *file) fits(g *generation) bool {
	if x.packed && x.end.is(g) {
		return true // without unpacking it
	}
	if x.size >= g.offset && x.hasTail(g) {
		return true
	}
	if x.packed { // its size is hearsay
		var b [1]byte
		n, err := x.f.ReadAt(b[:], max(0, g.offset-1))
		return n == 0 && (errors.Is(err, io.EOF) || broken(err))
	}
	return x.size < g.offset && x.key != g.key
}

// hasTail says whether the file has the bytes before the generation's position.
func (x *file) hasTail(g *generation) bool {
	lo := max(0, g.offset-tailLen)
	buf := make([]byte, g.offset-lo)
	if _, err := x.f.ReadAt(buf, lo); err != nil && len(buf) > 0 {
		return false
	}
	return tailHash(buf) == g.tail
}
