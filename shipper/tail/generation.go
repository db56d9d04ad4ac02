package tail

import (
	"slices"
	"time"
)

// generation is what was written from one creation of a log to the next, and how far it has been read.
type generation struct {
	id     ID
	offset int64  // read up to here
	tail   uint64 // of the bytes before offset
	sum    uint32 // of all bytes before offset, as gzip sums them up
	summed bool   // it is known
	next   []byte // up to 64 bytes that follow the head, as far as they are known
	line   int64  // with part > 0: where the line begins in whose middle offset is
	part   int
	solid  int64 // a position behind which there is no end of bytes 0
	key    inode // of the file it was last read from
	files  []*file
	cur    *file // the one to read from, nil when none is there
	seen   time.Time
}

func restored(s State, now time.Time) *generation {
	return &generation{
		id: s.ID(), offset: s.Offset, tail: s.Tail, next: slices.Clone(s.Next), line: s.Line, part: s.Part,
		sum: s.Sum, summed: s.Summed || s.Offset == 0,
		key: inode{dev: s.Dev, ino: s.Inode}, seen: now,
	}
}

func (g *generation) attach(x *file) {
	x.gen = g
	if !slices.Contains(g.files, x) {
		g.files = append(g.files, x)
	}
}

func (g *generation) detach(x *file) {
	x.gen = nil
	g.files = slices.DeleteFunc(g.files, func(f *file) bool { return f == x })
	if g.cur == x {
		g.cur = nil
	}
}

// choose settles which of the files with this content is read: the present one as long as it has something, else the
// longest.
func (g *generation) choose() {
	if g.cur != nil && g.cur.available() && (g.cur.unread(g) || len(g.files) == 1) {
		return
	}
	best := g.cur
	for _, x := range g.files {
		if x.available() && (best == nil || !best.available() || x.size > best.size) {
			best = x
		}
	}
	if best != nil && best != g.cur {
		g.cur, best.held = best, -1
		best.more = best.unread(g)
	}
	if g.cur != nil {
		g.key = g.cur.key
	}
}

// unread says whether the file has, or may have, more of the generation than was read.
func (x *file) unread(g *generation) bool {
	return x.size > g.offset || x.packed && !x.done
}

func (g *generation) readable() bool { return g.cur != nil && g.cur.available() && g.cur.more }
