package tail

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// listing is what is found in the directories: the files of each log, and the directories that could not be read.
type listing struct {
	files  map[*group][]named
	closed map[string]bool
}

// named is a file under the name at which it was found.
type named struct {
	path string
	info fs.FileInfo
}

// Scan looks at the directories: it finds new files, follows renamed ones, notices truncated and deleted ones, and
// prepares what Next reads.
func (t *Tail) Scan() {
	for range scanTries {
		l := t.settled(t.list)
		now, moved := t.opts.Now(), false
		for _, g := range t.order {
			moved = t.update(g, l, now) || moved
		}
		if !moved {
			break
		}
	}
	t.order = slices.DeleteFunc(t.order, func(g *group) bool {
		if len(g.gens) > 0 || len(g.files) > 0 || g.queued {
			return false
		}
		delete(t.groups, g.live)
		return true
	})
}

// rescan is Scan for one log.
func (t *Tail) rescan(g *group) {
	list := func() listing {
		if t.opts.Only != "" {
			return t.list()
		}
		l := listing{files: map[*group][]named{}, closed: map[string]bool{}}
		for _, pattern := range t.opts.Sources[g.source].Paths {
			if ok, _ := filepath.Match(filepath.Dir(pattern), g.dir()); ok {
				t.listDir(g.dir(), filepath.Base(pattern), g.source, &l)
			}
		}
		return l
	}
	for range scanTries {
		if moved := t.update(g, t.settled(list), t.opts.Now()); !moved {
			return
		}
	}
}

// scanTries bounds how often a directory is looked at again while its files are being renamed: longer than any burst
// of rotations. It ends as soon as nothing has moved.
const scanTries = 100

// settled lists until two listings agree, if something has moved since the last scan: a file that is renamed while
// its directory is read may not be seen under either name, and a newer one would be read before it.
func (t *Tail) settled(list func() listing) listing {
	l := list()
	if t.unmoved(l) {
		return l
	}
	for range scanTries {
		again := list()
		if same(l, again) {
			return again
		}
		l = again
	}
	return l
}

// unmoved says whether every file is where it was.
func (t *Tail) unmoved(l listing) bool {
	for g, files := range l.files {
		for _, f := range files {
			if x := g.byPath(f.path); x == nil || x.key != inodeOf(f.info, f.path) {
				return false
			}
		}
	}
	for _, g := range t.order {
		for _, x := range g.files {
			if !x.gone && !slices.ContainsFunc(l.files[g], func(f named) bool { return f.path == x.path }) {
				return false
			}
		}
	}
	return true
}

func same(a, b listing) bool {
	return maps.EqualFunc(a.files, b.files, func(x, y []named) bool {
		return slices.EqualFunc(x, y, func(f, g named) bool {
			return f.path == g.path && inodeOf(f.info, f.path) == inodeOf(g.info, g.path)
		})
	})
}

func (t *Tail) list() listing {
	l := listing{files: map[*group][]named{}, closed: map[string]bool{}}
	if t.opts.Only != "" {
		t.listOnly(filepath.Clean(t.opts.Only), &l)
		return l
	}
	for i, s := range t.opts.Sources {
		for _, pattern := range s.Paths {
			dirs, _ := filepath.Glob(filepath.Dir(pattern)) // the pattern was checked by New
			for _, dir := range dirs {
				t.listDir(dir, filepath.Base(pattern), i, &l)
			}
		}
	}
	return l
}

// listOnly adds the one file that is asked for.
func (t *Tail) listOnly(path string, l *listing) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return // gone, or nothing to be tailed
	}
	live := t.live(plainName(filepath.Base(path)))
	g := t.group(filepath.Join(filepath.Dir(path), live), 0)
	for _, pattern := range t.opts.Sources[0].Paths {
		isNamed, _ := filepath.Match(filepath.Base(pattern), live)
		g.named = g.named || isNamed
	}
	l.files[g] = append(l.files[g], named{path, info})
}

// listDir adds the files in dir that match pattern, or whose live name does. A directory that is not there has none.
func (t *Tail) listDir(dir, pattern string, source int, l *listing) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.warn(dir, err)
			l.closed[dir] = true
		}
		return
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || opaque(name) {
			continue
		}
		plain := plainName(name)
		live := t.live(plain)
		isNamed, _ := filepath.Match(pattern, live)
		if dated, _ := filepath.Match(pattern, plain); !isNamed && !dated {
			continue
		}
		if plain != name && plain != live && has(entries, plain) {
			continue // it is being packed, and there as it was
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or nothing to be tailed
		}
		g := t.group(filepath.Join(dir, live), source)
		if g.source != source {
			continue // the first source that asks for a file has it
		}
		g.named = g.named || isNamed
		if !slices.ContainsFunc(l.files[g], func(f named) bool { return f.path == path }) {
			l.files[g] = append(l.files[g], named{path, info})
		}
	}
}

// has says whether a name is among the entries, which are sorted.
func has(entries []fs.DirEntry, name string) bool {
	_, found := slices.BinarySearchFunc(entries, name, func(e fs.DirEntry, name string) int {
		return strings.Compare(e.Name(), name)
	})
	return found
}

// update brings a log's files in line with the names found for it. It says whether a name stood for another file when
// that was opened: then some file may have been missed, and a newer one must not be read before it.
func (t *Tail) update(g *group, l listing, now time.Time) (moved bool) {
	if l.closed[g.dir()] {
		g.trouble = true // nothing can be said of it
		return false
	}
	g.scanned, g.trouble = now, false
	for _, x := range g.files {
		x.gone = true
	}
	for _, f := range l.files[g] {
		changed, err := t.see(g, f.path, f.info, now)
		moved = moved || changed
		if err != nil {
			t.warn(f.path, err)
			g.trouble = true
		}
	}
	for _, x := range g.knownFirst() {
		if x.gone && x.parked {
			x.close()
			if x.gen != nil && x.unread(x.gen) {
				t.warn(x.path, errDeleted)
			}
		}
		if err := t.refresh(g, x, now); err != nil {
			t.warn(x.path, err)
			g.trouble = true
		}
	}
	for _, x := range g.files {
		t.prepare(g, x, now)
	}
	for _, gen := range g.gens {
		gen.choose()
		if gen.cur != nil {
			gen.seen = now
		}
	}
	g.files = slices.DeleteFunc(g.files, func(x *file) bool { return t.drop(g, x, now) })
	t.rest(g, now)
	t.forget(g, now)
	if len(g.gens)+len(g.files) > 0 {
		t.enqueue(g)
	}
	return moved
}

// knownFirst gives the live file, if it is known what it holds, and then the others. That it was emptied and written again
// must be noticed before what is found now is looked at: that may be its copy, and the generations that there are when it is
// noticed are ruled out for it.
func (g *group) knownFirst() []*file {
	files := slices.Clone(g.files)
	if i := slices.IndexFunc(files, func(x *file) bool { return x.path == g.live && !x.gone && x.gen != nil }); i > 0 {
		live := files[i]
		copy(files[1:i+1], files[:i])
		files[0] = live
	}
	return files
}

// see takes note of a name: of a file that is known, or of a new one. moved says that the name has changed hands since
// it was listed.
func (t *Tail) see(g *group, path string, info fs.FileInfo, now time.Time) (moved bool, err error) {
	listed := inodeOf(info, path)
	if x := g.byInode(listed); x != nil && x.packed == gzipped(path) {
		if x.gone || path == g.live { // of several links to one file the live name counts
			x.path, x.gone = path, false
		}
		if x.f != nil || x.disk == info.Size() && x.mtime.Equal(info.ModTime()) || x.parked && t.unpark(x) {
			return false, nil
		}
		// Closed, and changed since: written to again, or another file on the same inode. Its content will tell.
		g.remove(x)
	} else if x != nil {
		g.remove(x)
	}
	x, err := openFile(path, now, t.heads)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if g.byInode(x.key) != nil {
		x.close()
		return x.key != listed, nil
	}
	g.files = append(g.files, x)
	t.opened.hold(x)
	return x.key != listed, nil
}

func (g *group) remove(x *file) {
	x.close()
	if x.gen != nil {
		x.gen.detach(x)
	}
	g.files = slices.DeleteFunc(g.files, func(f *file) bool { return f == x })
}

// refresh takes a file's size, notices truncation, and settles its generation.
func (t *Tail) refresh(g *group, x *file, now time.Time) error {
	if x.f == nil {
		return nil
	}
	info, err := x.f.Stat()
	if err != nil {
		return err // names the path and the call
	}
	was, touched := x.size, !info.ModTime().Equal(x.mtime)
	if x.packed {
		was = x.disk
	}
	x.disk, x.mtime = info.Size(), info.ModTime()
	if x.disk != was || touched {
		x.changed = now
		t.opened.grew(x)
	}
	if x.packed {
		return t.refreshPacked(g, x, x.disk != was || touched, now)
	}
	x.size = x.disk
	switch {
	case x.gen == nil || x.size == was && !touched:
	case x.size < was || !x.stillHead():
		g.truncated(x)
	default:
		if _, ok := x.agrees(x.gen); !ok {
			g.mistaken(x)
		}
	}
	if x.gen == nil && x.size > 0 {
		return g.identify(x, t.idle(g, x, now), now)
	}
	return nil
}

// idle says whether nothing will follow in the file.
func (t *Tail) idle(g *group, x *file, now time.Time) bool {
	return t.opts.Whole || !g.isLive(x) && now.Sub(x.changed) >= t.opts.CloseAfter
}

// prepare settles what may be read of a file, once the present state of all of the log's is known.
func (t *Tail) prepare(g *group, x *file, now time.Time) {
	if !x.available() {
		return
	}
	idle, was := t.idle(g, x, now), x.flush
	x.flush, x.full = idle, -1
	if x.packed || idle || now.Sub(x.changed) >= t.opts.Sources[g.source].Patience || g.succeeded(x) {
		x.full = x.size
	}
	switch {
	case x.gen == nil:
		x.more = false
	case x.packed:
		x.more = x.unread(x.gen) && (!x.done || idle && !was || x.pending)
	default:
		ripe := x.size != x.held || idle || x.pending && x.full >= 0
		x.more = x.size > x.gen.offset && ripe || x.f != nil && g.isLive(x)
	}
}

// refreshPacked is refresh for a packed file. One that has changed is still being made.
func (t *Tail) refreshPacked(g *group, x *file, changed bool, now time.Time) error {
	if changed {
		u, ok := x.f.(*unpacked)
		if !ok {
			return fmt.Errorf("reading %s: it is packed and was not opened as that", x.path)
		}
		if err := x.unpack(u.File, t.heads); err != nil {
			return err
		}
		if x.gen != nil && !x.stillHead() {
			g.truncated(x)
		}
	}
	if x.gen == nil && x.disk > 0 {
		if err := g.identify(x, t.idle(g, x, now), now); err != nil {
			return err
		}
	}
	if x.gen != nil && !x.done && x.end.is(x.gen) {
		x.done, x.size = true, x.gen.offset // all of it was read, here or elsewhere
	}
	return nil
}

// drop closes a file from which nothing more is to be expected, and says whether it can be forgotten.
func (t *Tail) drop(g *group, x *file, now time.Time) bool {
	unread := x.gen != nil && x.unread(x.gen)
	unsure := x.gen != nil && !x.sure(x.gen) // whether it is a copy
	young := now.Sub(x.changed) < t.opts.CloseAfter && x.available() && (!x.packed || x.gen == nil)
	if unread || unsure || !x.gone && g.isLive(x) || young {
		return false
	}
	x.close()
	x.more = false
	if !x.gone {
		return false
	}
	if x.gen != nil {
		x.gen.detach(x)
	}
	return true
}

// forget drops the generations whose last file went away long ago.
func (t *Tail) forget(g *group, now time.Time) {
	g.gens = slices.DeleteFunc(g.gens, func(gen *generation) bool {
		if len(gen.files) > 0 || now.Sub(gen.seen) < t.opts.ForgetAfter {
			return false
		}
		t.forgotten = append(t.forgotten, gen.id)
		return true
	})
}
