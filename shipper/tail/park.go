package tail

import (
	"container/list"
	"errors"
	"os"
	"time"
)

// A file that is parked has no descriptor and is opened again when it has grown, or when its turn to be read comes: one
// that has not grown for Options.CloseIdle, and, beyond Options.OpenFiles, the one that has not grown for longest.

// errDeleted is told of lines that are lost.
var errDeleted = errors.New("it was deleted before it was read to its end, while it was closed to keep within the number of open files")

// opened is the files with a descriptor, those that grew last at the back.
type opened struct{ list.List }

// hold notes that x is open.
func (o *opened) hold(x *file) {
	x.opened, x.place = o, o.PushBack(x)
}

// grew notes that x has grown.
func (o *opened) grew(x *file) {
	if x.place != nil {
		o.MoveToBack(x.place)
	}
}

// available says whether the file can be read, be it parked.
func (x *file) available() bool { return x.f != nil || x.parked }

// parkable says whether the file can be closed and found again: it has a name, and it is known what it is.
func (x *file) parkable() bool {
	return x.f != nil && !x.gone && !x.packed && (x.gen != nil && x.sure(x.gen) || x.size == 0)
}

// sure says whether it is known for certain that the file is of the generation, and no copy of its beginning only.
func (x *file) sure(g *generation) bool {
	return int64(len(g.next)) >= min(tailLen, x.size-x.zeros-int64(x.headLen))
}

func (x *file) park() {
	x.close()
	x.parked = true
}

// unpark opens a parked file again. It is false when another one is there under its name, which may have its inode: only
// one that goes on where the generation was left is the same. One that is shorter may have been emptied, or be a copy of
// whatever log: it is looked at as if it were new, for of an emptied one it would be taken for granted what it is not.
func (t *Tail) unpark(x *file) bool {
	f, err := os.Open(x.path)
	if err != nil {
		return false
	}
	info, err := f.Stat()
	if err != nil || inodeOf(info, x.path) != x.key {
		_ = f.Close() // opened for reading only
		return false
	}
	x.f = f
	switch {
	case x.gen == nil:
		x.never = nil // it was empty, and what it has now is told by nothing but itself
	case info.Size() < x.size || info.Size() < x.gen.offset || !x.stillHead() || !x.hasTail(x.gen):
		x.close()
		x.parked = true
		return false
	}
	x.parked = false
	t.opened.hold(x)
	return true
}

// rest parks the files of a log that have been idle for long, and as many as there are too many.
func (t *Tail) rest(g *group, now time.Time) {
	for _, x := range g.files {
		if x.parkable() && (x.gen == nil || !x.unread(x.gen)) && now.Sub(x.changed) >= t.opts.CloseIdle {
			x.park()
			x.more = false
		}
	}
	t.bound()
}

// bound parks files until no more than the allowed number are open: first of those that have been read, as a parked
// file that is deleted is lost.
func (t *Tail) bound() {
	for _, unread := range []bool{false, true} {
		for e := t.opened.Front(); e != nil && t.opened.Len() > t.opts.OpenFiles; {
			x, _ := e.Value.(*file)
			e = e.Next()
			if x.parkable() && (unread || x.gen == nil || !x.unread(x.gen)) {
				x.park()
			}
		}
	}
}

// Open is how many files have a descriptor.
func (t *Tail) Open() int { return t.opened.Len() }
