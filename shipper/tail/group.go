package tail

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"
)

// group is one log: the live file and what it was rotated to.
type group struct {
	live    string // its path
	source  int
	named   bool // the live path itself is asked for, not only dated names of it
	gens    []*generation
	files   []*file
	queued  bool
	scanned time.Time // when the directory was last looked at
	trouble bool      // some of it could not be looked at
	endAt   time.Time // everything written before it has been read
}

// next gives the oldest generation that has something to read; the live file's comes last.
func (g *group) next() *generation {
	var best *generation
	for _, gen := range g.gens {
		if gen.readable() && (best == nil || g.older(gen.cur, best.cur)) {
			best = gen
		}
	}
	return best
}

func (g *group) older(a, b *file) bool {
	if la, lb := g.isLive(a), g.isLive(b); la != lb {
		return lb
	}
	na, nb := a.name(), b.name()
	if na != "" && nb != "" && ordered(na, nb) { // times may be those of a copying or packing
		return olderName(na, nb)
	}
	if c := a.mtime.Compare(b.mtime); c != 0 {
		return c < 0
	}
	return olderName(plainName(a.path), plainName(b.path))
}

// name gives the present name of the file, or, when it is gone, of another one with its content; "" where there is
// none.
func (x *file) name() string {
	if !x.gone {
		return plainName(x.path)
	}
	if x.gen != nil {
		for _, o := range x.gen.files {
			if !o.gone {
				return plainName(o.path)
			}
		}
	}
	return ""
}

// isLive says whether lines may still be added to the file: it has the live name, or, where nothing has, it is the
// one written to last. A packed one is not, and so is none that is older by its name.
func (g *group) isLive(x *file) bool {
	if x.gone || x.packed {
		return false
	}
	if x.path == g.live {
		return true
	}
	for _, o := range g.files {
		switch {
		case o == x || o.gone:
		case o.packed:
			if name := plainName(o.path); ordered(x.path, name) && olderName(x.path, name) {
				return false
			}
		case o.path == g.live || o.mtime.After(x.mtime):
			return false
		}
	}
	return true
}

// succeeded says whether the log goes on in another file, which has something already.
func (g *group) succeeded(x *file) bool {
	return !g.isLive(x) && slices.ContainsFunc(g.files, func(o *file) bool {
		return o.size > 0 && o.gen != x.gen && g.older(x, o)
	})
}

func (g *group) byInode(k inode) *file {
	for _, x := range g.files {
		if x.key == k {
			return x
		}
	}
	return nil
}

func (g *group) byPath(path string) *file {
	for _, x := range g.files {
		if x.path == path && !x.gone {
			return x
		}
	}
	return nil
}

// label is the path that lines are said to come from: the live one, which stays the same over rotations.
func (g *group) label(x *file) string {
	if g.named {
		return g.live
	}
	return plainName(x.path)
}

// withHead gives the generations that begin alike, the latest first.
func (g *group) withHead(head string) []*generation {
	var same []*generation
	for _, gen := range g.gens {
		if gen.id.Head == head {
			same = append(same, gen)
		}
	}
	slices.SortFunc(same, func(a, b *generation) int { return cmp.Compare(b.id.Run, a.id.Run) })
	return same
}

// identify finds the generation whose content the file has, or makes one. It does nothing while the first line is
// not complete.
func (g *group) identify(x *file, final bool, now time.Time) error {
	head, n, ok, err := x.head(final)
	if err != nil || !ok {
		return err
	}
	x.headLen = n
	same := g.withHead(head)
	if gen := x.bestOf(same); gen != nil {
		gen.attach(x)
		_, _ = x.agrees(gen) // learns
		return nil
	}
	run := 0
	if len(same) > 0 {
		run = same[0].id.Run + 1
	}
	gen := &generation{id: ID{File: g.live, Head: head, Run: run}, tail: tailHash(nil), summed: true, key: x.key, seen: now}
	gen.attach(x)
	g.gens = append(g.gens, gen)
	_, _ = x.agrees(gen) // learns
	return nil
}

// part takes from the generation the files that turn out to be no copies of it, and says whether there were any.
func (g *group) part(gen *generation) bool {
	found := false
	for _, x := range slices.Clone(gen.files) {
		if x == gen.cur || x.f == nil {
			continue
		}
		if _, ok := x.agrees(gen); !ok {
			g.mistaken(x)
			found = true
		}
	}
	return found
}

// bestOf gives the generation with which the file has most in common, nil if it is none of them.
func (x *file) bestOf(same []*generation) *generation {
	var best *generation
	most := -1
	for _, gen := range same {
		if slices.Contains(x.never, gen.id) {
			continue
		}
		if known, ok := x.agrees(gen); ok && known > most && x.fits(gen) {
			best, most = gen, known
		}
	}
	return best
}

// truncated takes the file from its generation: it was emptied, and what it has now is none of what is known.
func (g *group) truncated(x *file) {
	if x.gen == nil {
		return
	}
	x.never = nil
	for _, gen := range g.withHead(x.gen.id.Head) {
		x.never = append(x.never, gen.id)
	}
	x.gen.detach(x)
	x.held, x.full, x.flush, x.pending, x.zeros = -1, -1, false, false, -1
}

// mistaken takes the file from its generation: it went on otherwise than the generation does, of which it was taken
// for a copy while it was short.
func (g *group) mistaken(x *file) {
	x.never = append(x.never, x.gen.id)
	x.gen.detach(x)
	x.held, x.full, x.flush, x.pending = -1, -1, false, false
}

// dir is where the group's files lie.
func (g *group) dir() string { return filepath.Dir(g.live) }
