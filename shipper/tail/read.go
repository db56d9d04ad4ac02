package tail

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Kind says what a chunk is.
type Kind uint8

// The kinds of chunks.
const (
	Lines Kind = iota // whole lines, each with its newline
	Part              // a piece of a line that is too long to be held in memory
	Rest              // the end of a finished file that has no newline
	Zeros             // bytes 0 in front of a line, which nobody wrote
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
	sum   uint32 // of everything before Data
}

// Mark gives the position after the first n bytes of Data, which must end with a line (of a Part: all of it).
func (c *Chunk) Mark(n int) State {
	s := c.after
	s.Offset = c.Offset + int64(n)
	s.Tail = tailHash(c.raw[:len(c.raw)-len(c.Data)+n])
	if n < len(c.Data) {
		s.Sum = crc32.Update(c.sum, crc32.IEEETable, c.Data[:n])
	}
	return s
}

// Next hands out the next piece of what was written: from every log in turn, of each log the oldest first. It is
// false when there is nothing more at the moment.
func (t *Tail) Next() (Chunk, bool) {
	for waiting := 0; len(t.queue) > 0; {
		g := t.queue[0]
		t.queue = t.queue[1:]
		if t.mustWait(g) && waiting <= len(t.queue) {
			t.queue = append(t.queue, g)
			waiting++
			continue
		}
		g.queued, waiting = false, 0
		for gen := g.next(); gen != nil; gen = g.next() {
			c, ok := t.read(g, gen)
			t.bound()
			if ok {
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

// mustWait says whether the log's next piece is of a packed file while another one is being unpacked: each takes
// memory, and after an outage there may be thousands of them.
func (t *Tail) mustWait(g *group) bool {
	if t.unpacking != nil && (t.unpacking.f == nil || t.unpacking.gen == nil || !t.unpacking.more) {
		t.unpacking = nil
	}
	if t.unpacking == nil {
		return false
	}
	gen := g.next()
	return gen != nil && gen.cur.packed && gen.cur != t.unpacking
}

// read takes the next piece of one generation. It is false when there is none, or when the file turned out to be
// another: the caller looks again.
//
// Nothing stops a file from being truncated and written again while it is read. So what was read counts only if the
// bytes before it are the ones that stood there before, and if afterwards the file still begins as it did: then it
// was not truncated until then.
func (t *Tail) read(g *group, gen *generation) (Chunk, bool) {
	x := gen.cur
	if x.parked && !t.unpark(x) {
		t.rescan(g) // it has another name, or is gone
		if x.parked && !t.unpark(x) {
			x.more, g.trouble = false, true
		}
		return Chunk{}, false // an older one may have been found
	}
	lo := max(0, gen.offset-tailLen)
	n, err := x.f.ReadAt(t.buf, lo)
	if x.packed {
		t.unpacking = x
		err = t.packedEnd(x, lo+int64(n), err)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.warn(x.path, err)
		x.more, g.trouble = false, true
		return Chunk{}, false
	}
	raw, k := t.buf[:n], int(gen.offset-lo)
	if x.packed && n < k {
		x.more = false // a copy that is shorter than what was read
		return Chunk{}, false
	}
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
	c := Chunk{ID: gen.id, Source: g.source, Path: g.label(x), Offset: gen.offset, sum: gen.sum}
	end, err := t.take(gen, &c, piece{data: raw[k:], full: full, last: x.full == lo+int64(n)})
	if err != nil {
		t.warn(x.path, err)
		g.trouble = true
	}
	if end == 0 {
		x.held = lo + int64(n)
		return Chunk{}, false
	}
	if left := end < n-k; left && (x.flush || c.Kind == Part || c.Kind == Zeros) {
		x.more = true
	}
	t.opened.grew(x)
	gen.offset += int64(end)
	c.Data, c.raw = raw[k:k+end], raw[:k+end]
	gen.tail, gen.sum = tailHash(c.raw), crc32.Update(gen.sum, crc32.IEEETable, c.Data)
	c.after = State{
		File: gen.id.File, Head: gen.id.Head, Run: gen.id.Run, Path: x.path, Dev: x.key.dev, Inode: x.key.ino,
		Size: x.size, Sum: gen.sum, Summed: gen.summed, Next: gen.next, Line: gen.line, Part: gen.part, Seen: gen.seen,
	}
	return c, true
}

// packedEnd takes in that a packed file has ended at end, by err. What is left of err is for a person to look at.
func (t *Tail) packedEnd(x *file, end int64, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
	case errors.Is(err, io.ErrUnexpectedEOF) && !x.flush:
		x.more = false // it may be in the making
		return nil
	case broken(err):
		t.warn(x.path, fmt.Errorf("what follows byte %d of its content cannot be unpacked: %w", end, err))
	default:
		return err
	}
	x.done, x.size = true, end
	return nil
}

// piece is what was read behind a generation's position.
type piece struct {
	data []byte
	full bool // there is more than that
	last bool // no line that comes later belongs to those in it
}

// take settles how much of a piece is handed out, and as what; 0: nothing yet.
func (t *Tail) take(gen *generation, c *Chunk, p piece) (int, error) {
	x := gen.cur
	if gen.part > 0 {
		return gen.takePart(c, p.data, p.full, x.flush), nil
	}
	if len(p.data) > 0 && p.data[0] == 0 {
		return gen.takeZeros(c, p)
	}
	if end := bytes.LastIndexByte(p.data, '\n') + 1; end > 0 {
		return x.takeLines(t.opts.Sources[c.Source].Cut, p.data[:end], p), nil
	}
	switch {
	case p.full:
		return gen.takePart(c, p.data, p.full, x.flush), nil
	case x.flush && len(p.data) > 0:
		if !t.opts.Whole {
			c.Kind = Rest
		}
		return len(p.data), nil
	}
	return 0, nil
}

// takeLines gives how many of the lines are handed out: those to which nothing more can belong.
func (x *file) takeLines(cut func(lines []byte, last bool) int, lines []byte, p piece) int {
	if cut == nil {
		return len(lines)
	}
	n := cut(lines, p.last)
	if n == 0 && p.full {
		n = cut(lines, true) // what follows does not fit beside it
	}
	x.pending = n < len(lines)
	return n
}

// takeZeros passes by bytes that nobody wrote: they are left where a log was truncated under a writer that does not
// append, and at the end of files after a loss of power. Where nothing stands behind them something may still come in
// their place.
func (gen *generation) takeZeros(c *Chunk, p piece) (int, error) {
	c.Kind = Zeros
	if n := slices.IndexFunc(p.data, func(b byte) bool { return b != 0 }); n >= 0 {
		return n, nil
	}
	if end := gen.offset + int64(len(p.data)); gen.solid < end && !gen.cur.flush {
		at, err := gen.cur.behindZeros(end)
		if err != nil || at < 0 {
			return 0, err
		}
		gen.solid = at
	}
	return len(p.data), nil
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
