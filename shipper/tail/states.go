package tail

import "time"

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

// Now gives the files that are known, as of the last Scan and Next.
func (t *Tail) Now() []Now {
	var out []Now
	for _, g := range t.order {
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
