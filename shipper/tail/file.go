package tail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// headMax is how many bytes of the first line count for the identity: more than any two lines of a log have in common
// at their beginning.
const headMax = 4096

// file is one file as it lies on the disk, whatever it is called.
type file struct {
	path    string
	key     inode
	f       *os.File // nil while nothing is to be read
	size    int64
	mtime   time.Time
	changed time.Time // when size or mtime were last seen to change
	gone    bool      // no name in its directory any more

	gen     *generation // nil until the first line is complete
	headLen int         // how many bytes the generation's head was made of
	never   []ID        // generations that it is known not to hold

	more  bool  // a read may find something
	held  int64 // the size at which the rest was an unfinished line; -1: none
	flush bool  // nothing will follow: the rest counts as it is
}

func openFile(path string, now time.Time) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a log file: %w", err)
	}
	x := &file{path: path, f: f, held: -1, changed: now}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a log file: %w", err), f.Close())
	}
	x.key, x.size, x.mtime = inodeOf(info, path), info.Size(), info.ModTime()
	if x.mtime.Before(now) {
		x.changed = x.mtime
	}
	return x, nil
}

func (x *file) close() {
	if x.f != nil {
		_ = x.f.Close() // opened for reading only: nothing can be lost
		x.f = nil
	}
}

// head gives the hash of the first line, or of its first headMax bytes, and how many bytes that is; ok is false while
// the line is not complete. With final it takes what is there.
func (x *file) head(final bool) (sum string, n int, ok bool, err error) {
	buf := make([]byte, headMax)
	got, err := x.f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
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
	if _, err := x.f.ReadAt(buf, 0); err != nil {
		return false
	}
	return headHash(buf) == x.gen.id.Head
}

// agrees says whether what follows the first line is what follows it in the generation, and for how many bytes both
// are known. Logs whose files all begin with the same line are told apart by it. The file that is read also teaches
// the generation more of it; of another one it is not sure yet whether it is a copy.
func (x *file) agrees(g *generation) (known int, ok bool) {
	buf := make([]byte, min(tailLen, max(0, x.size-int64(x.headLen))))
	n, err := x.f.ReadAt(buf, int64(x.headLen))
	if err != nil && !errors.Is(err, io.EOF) {
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

// hasTail says whether the file has the bytes before the generation's position.
func (x *file) hasTail(g *generation) bool {
	lo := max(0, g.offset-tailLen)
	buf := make([]byte, g.offset-lo)
	if _, err := x.f.ReadAt(buf, lo); err != nil && len(buf) > 0 {
		return false
	}
	return tailHash(buf) == g.tail
}
