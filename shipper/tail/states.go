package tail

import (
	"slices"
	"time"
)

// Now is how a file is at the moment.
type Now struct {
	Live     string // the live path of its log
	Path     string
	Source   int
	ID       ID // without a Head where the first line is not complete
	Dev, Ino uint64
	Writable bool // lines may still be added to it
	Packed   bool
	Gone     bool // it has no name any more
	Open     bool
	Current  bool // its generation is read from it
	Size     int64
	Offset   int64 // read up to here
	Modified time.Time
	Err      string // the last trouble with it; "": none yet
	ErrAt    time.Time
}

// Log is a log with its files.
type Log struct {
	File
	Files []Now
}

// Walk goes through the logs a few at a time, so that reading can go on between. To be used where its Tail is.
type Walk struct {
	tail *Tail
	left []*group
}

// Walk begins to go through the logs that there are now.
func (t *Tail) Walk() *Walk { return &Walk{t, slices.Clone(t.order)} }

// Next gives the next logs, as they are now, until they have so many files together; more is false with the last. Each log
// comes once, so a file that is rotated meanwhile is neither missed nor doubled; one that comes into being later is not
// among them.
func (w *Walk) Next(files int) (logs []Log, more bool) {
	for n := 0; len(w.left) > 0 && n < files; w.left = w.left[1:] {
		g := w.left[0]
		logs = append(logs, Log{g.file(), w.tail.now(g)})
		n += max(1, len(g.files))
	}
	return logs, len(w.left) > 0
}

func (t *Tail) now(g *group) []Now {
	out := make([]Now, 0, len(g.files))
	for _, x := range g.files {
		n := Now{
			Live: g.live, Path: x.path, Source: g.source, Dev: x.key.dev, Ino: x.key.ino, Writable: g.isLive(x), Packed: x.packed,
			Gone: x.gone, Open: x.f != nil, Size: x.size, Modified: x.mtime,
		}
		if x.gen != nil {
			n.ID, n.Current, n.Offset = x.gen.id, x.gen.cur == x, x.gen.offset
			n.Size = max(n.Size, n.Offset)
		}
		if w, ok := t.warned[x.path]; ok {
			n.Err, n.ErrAt = w.text, w.at
		}
		out = append(out, n)
	}
	return out
}

// Troubles gives the paths with which there was trouble since a time, directories included.
func (t *Tail) Troubles(since time.Time) (paths []string) {
	for path, w := range t.warned {
		if w.at.After(since) {
			paths = append(paths, path)
		}
	}
	return paths
}

// warning is the last trouble with a path.
type warning struct {
	told time.Time // in the log
	at   time.Time
	text string
}
