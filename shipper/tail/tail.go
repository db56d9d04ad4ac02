package tail

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
)

// Source is a set of files that are read in the same way.
type Source struct {
	// Paths are glob patterns of live files. What they were rotated to is found by itself.
	Paths []string
	// Cut, where lines belong together, gives how many bytes of some whole lines are whole groups of lines: of the last
	// group more may come, unless last says otherwise. It depends on nothing but the lines. nil: each is by itself.
	Cut func(lines []byte, last bool) int
	// Patience is how long a group of lines of a file that does not change waits for more. 0: 5 s.
	Patience time.Duration
}

// Options say what is followed and how.
type Options struct {
	Sources []Source
	// CloseAfter is how long a rotated file may be without a change before it is closed, and before an unfinished
	// last line is handed out as it is. 0: 30 s.
	CloseAfter time.Duration
	// ForgetAfter is how long a generation is remembered after its last file went away. 0: 24 h.
	ForgetAfter time.Duration
	// CloseIdle is how long a file may be without a change before it is closed until it has one. 0: 5 min.
	CloseIdle time.Duration
	// OpenFiles is how many files are open at a time, but for packed ones that are not read yet and files that were deleted
	// before they were read. Those that have not grown for longest are closed until there is something to be read. 0: 1000.
	OpenFiles int
	// Whole says that nobody writes any more: a last line without a newline is a line.
	Whole bool
	// Only, if set, is the one file that is read, as one of the only source. What lies beside it is not looked at, and it
	// needs not have a name that the source asks for.
	Only string
	Log  logrus.FieldLogger
	Now  func() time.Time // nil: time.Now
}

// Tail follows the files of some sources. Not safe for concurrent use. Close it.
type Tail struct {
	opts      Options
	groups    map[string]*group
	order     []*group // in order of their finding
	queue     []*group // those in which a read may find something
	buf       []byte
	forgotten []ID
	warned    map[string]warning
	heads     *heads
	unpacking *file             // the packed file that is read at the moment
	names     map[string]string // live names, by name
	opened    opened
}

// chunkBytes is how much is read at once. A longer line is handed out in parts.
const chunkBytes = 256 << 10

// New makes a Tail that goes on at saved. It touches no file before the first Scan.
func New(o Options, saved []State) (*Tail, error) {
	if o.CloseAfter <= 0 {
		o.CloseAfter = 30 * time.Second
	}
	if o.CloseIdle <= 0 {
		o.CloseIdle = 5 * time.Minute
	}
	if o.OpenFiles <= 0 {
		o.OpenFiles = 1000
	}
	if o.ForgetAfter <= 0 {
		o.ForgetAfter = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		return nil, errors.New("making a tail: a logger is needed")
	}
	o.Sources = slices.Clone(o.Sources)
	for i, s := range o.Sources {
		if s.Patience <= 0 {
			o.Sources[i].Patience = 5 * time.Second
		}
		for _, p := range s.Paths {
			if _, err := filepath.Match(p, ""); err != nil {
				return nil, fmt.Errorf("reading the path pattern %q: %w", p, err)
			}
		}
	}
	t := &Tail{opts: o, groups: map[string]*group{}, buf: make([]byte, tailLen+chunkBytes), warned: map[string]warning{}, names: map[string]string{}, heads: new(heads)}
	now := o.Now()
	for _, s := range saved {
		g := t.group(s.File, -1)
		g.gens = append(g.gens, restored(s, now))
	}
	return t, nil
}

// Close closes all files.
func (t *Tail) Close() {
	for _, g := range t.order {
		for _, x := range g.files {
			x.close()
		}
	}
}

func (t *Tail) group(live string, source int) *group {
	g := t.groups[live]
	if g == nil {
		g = &group{live: live, source: source}
		t.groups[live] = g
		t.order = append(t.order, g)
	}
	if g.source < 0 {
		g.source = source
	}
	return g
}

// maxNames bounds the names whose live names are remembered.
const maxNames = 100_000

// live is liveName, which costs more than a look at the file.
func (t *Tail) live(name string) string {
	live, ok := t.names[name]
	if !ok {
		if len(t.names) >= maxNames {
			clear(t.names)
		}
		live = liveName(name)
		t.names[name] = live
	}
	return live
}

func (t *Tail) enqueue(g *group) {
	if !g.queued {
		g.queued = true
		t.queue = append(t.queue, g)
	}
}

// Touch says that the file at path was written to. It is true when a Scan is needed to make something of that.
func (t *Tail) Touch(path string) (look bool) {
	if gzipped(path) {
		return false // it is being made; what it is made of is there
	}
	g := t.groups[filepath.Join(filepath.Dir(path), t.live(filepath.Base(path)))]
	if g == nil {
		return false // none of ours; a new file of ours is told by its creation
	}
	x := g.byPath(path)
	if x == nil || !x.available() || x.gen == nil || x.gen.cur != x {
		return true
	}
	x.more = true
	t.opened.grew(x)
	t.enqueue(g)
	return false
}

// Forgotten gives the generations that are remembered no longer, each once.
func (t *Tail) Forgotten() []ID {
	f := t.forgotten
	t.forgotten = nil
	return f
}

// File is the state of one log.
type File struct {
	Live    string
	Source  int
	EndAt   time.Time // everything written before it has been handed out; zero: the end was not reached yet
	Present bool      // some file of it is there
	Sizes   []Size
}

// Size is how much of a generation is there.
type Size struct {
	ID       ID
	Size     int64
	Whole    int64     // the same without a last line that is unfinished as far as is known
	Modified time.Time // the file that it is read from
}

// Files gives the state of all logs, as of the last Scan and Next.
func (t *Tail) Files() []File {
	out := make([]File, 0, len(t.order))
	for _, g := range t.order {
		out = append(out, g.file())
	}
	return out
}

func (g *group) file() File {
	f := File{Live: g.live, Source: g.source, EndAt: g.endAt}
	f.Present = slices.ContainsFunc(g.files, func(x *file) bool { return !x.gone })
	for _, gen := range g.gens {
		if gen.cur == nil {
			continue
		}
		s := Size{ID: gen.id, Size: max(gen.cur.size, gen.offset), Modified: gen.cur.mtime}
		s.Whole = s.Size
		if gen.cur.held == gen.cur.size && !gen.cur.pending && !gen.cur.flush {
			s.Whole = gen.offset
		}
		f.Sizes = append(f.Sizes, s)
	}
	return f
}

// Dirs gives the directories that are looked at.
func (t *Tail) Dirs() []string {
	seen := map[string]bool{}
	var dirs []string
	for _, s := range t.opts.Sources {
		for _, p := range s.Paths {
			found, _ := filepath.Glob(filepath.Dir(p)) // the pattern was checked by New
			for _, d := range found {
				if !seen[d] {
					seen[d] = true
					dirs = append(dirs, d)
				}
			}
		}
	}
	return dirs
}

// warn logs a trouble with a file, once a minute at most for each, and remembers the last.
func (t *Tail) warn(path string, err error) {
	now := t.opts.Now()
	w := t.warned[path]
	w.text, w.at = err.Error(), now
	if tell := w.told.IsZero() || now.Sub(w.told) >= time.Minute; tell {
		w.told = now
		if len(t.warned) >= maxNames {
			clear(t.warned)
		}
		t.opts.Log.WithError(err).WithField("file", path).Warn("a log file could not be read; it will be tried again")
	}
	t.warned[path] = w
}
