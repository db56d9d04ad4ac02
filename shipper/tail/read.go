package tail

import (
	"bytes"
	"errors"
	"io"
)

// Kind says what a chunk is.
type Kind uint8

// The kinds of chunks.
const (
	Lines Kind = iota // whole lines, each with its newline
	Part              // a piece of a line that is too long to be held in memory
	Rest              // the end of a finished file that has no newline
)

// Chunk is a piece of a generation.
type Chunk struct {
	ID     ID
	Source int    // index of the source it belongs to
	Path   string // where it is said to come from: the live path
	Kind   Kind
	Offset int64  // of Data in the generation
	Data   []byte // valid until the next call of Next
	Line   int64  // of a Part: where its line begins
	Part   int    // of a Part: its number, from 0
	Last   bool   // of a Part: the line ends here

	raw   []byte // Data and what stands before it
	after State
}

// Mark gives the position after the first n bytes of Data, which must end with a line (of a Part: all of it).
func (c *Chunk) Mark(n int) State {
	s := c.after
	s.Offset = c.Offset + int64(n)
	s.Tail = tailHash(c.raw[:len(c.raw)-len(c.Data)+n])
	return s
}

// Next hands out the next piece of what was written: from every log in turn, of each log the oldest first. It is
// false when there is nothing more at the moment.
func (t *Tail) Next() (Chunk, bool) {
	for len(t.queue) > 0 {
		g := t.queue[0]
		t.queue = t.queue[1:]
		g.queued = false
		for gen := g.next(); gen != nil; gen = g.next() {
			if c, ok := t.read(g, gen); ok {
				t.enqueue(g)
				return c, true
			}
		}
		if !g.trouble {
			g.endAt = g.scanned
		}
	}
	return Chunk{}, false
}

// read takes the next piece of one generation. It is false when there is none, or when the file turned out to be
// another: the caller looks again.
//
// Nothing stops a file from being truncated and written again while it is read. So what was read counts only if the
// bytes before it are the ones that stood there before, and if afterwards the file still begins as it did: then it
// was not truncated until then.
func (t *Tail) read(g *group, gen *generation) (Chunk, bool) {
	x := gen.cur
	lo := max(0, gen.offset-tailLen)
	n, err := x.f.ReadAt(t.buf, lo)
	if err != nil && !errors.Is(err, io.EOF) {
		t.warn(x.path, err)
		x.more, g.trouble = false, true
		return Chunk{}, false
	}
	raw, k := t.buf[:n], int(gen.offset-lo)
	x.size = max(x.size, lo+int64(n))
	if n < k || tailHash(raw[:k]) != gen.tail || !x.stillHead() {
		g.truncated(x)
		t.rescan(g)
		return Chunk{}, false
	}
	_, ok := x.agrees(gen)
	if !ok {
		g.mistaken(x)
	}
	if parted := g.part(gen); parted || !ok {
		t.rescan(g)
		return Chunk{}, false
	}
	full := n == len(t.buf)
	x.more = full
	c := Chunk{ID: gen.id, Source: g.source, Path: g.label(x), Offset: gen.offset}
	end := gen.take(&c, raw[k:], full, x.flush, t.opts.Whole)
	if end == 0 {
		x.held = lo + int64(n)
		return Chunk{}, false
	}
	if left := end < n-k; left && (x.flush || c.Kind == Part) {
		x.more = true
	}
	gen.offset += int64(end)
	c.Data, c.raw = raw[k:k+end], raw[:k+end]
	gen.tail = tailHash(c.raw)
	c.after = State{
		File: gen.id.File, Head: gen.id.Head, Run: gen.id.Run, Path: x.path, Dev: x.key.dev, Inode: x.key.ino,
		Size: x.size, Next: gen.next, Line: gen.line, Part: gen.part, Seen: gen.seen,
	}
	return c, true
}

// take settles how much of data is handed out, and as what; 0: nothing yet. full says that there is more than data,
// flush that nothing will follow.
func (gen *generation) take(c *Chunk, data []byte, full, flush, whole bool) int {
	if gen.part > 0 {
		return gen.takePart(c, data, full, flush)
	}
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 {
		return end
	}
	switch {
	case full:
		return gen.takePart(c, data, full, flush)
	case flush && len(data) > 0:
		if !whole {
			c.Kind = Rest
		}
		return len(data)
	}
	return 0
}

func (gen *generation) takePart(c *Chunk, data []byte, full, flush bool) int {
	if gen.part == 0 {
		gen.line = gen.offset
	}
	end := bytes.IndexByte(data, '\n') + 1
	c.Last = end > 0 || flush && !full
	switch {
	case end > 0:
	case full || flush && len(data) > 0:
		end = len(data)
	default:
		return 0
	}
	c.Kind, c.Line, c.Part = Part, gen.line, gen.part
	gen.part++
	if c.Last {
		gen.line, gen.part = 0, 0
	}
	return end
}
