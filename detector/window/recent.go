package window

import (
	"slices"
	"unsafe"
)

// recent are distinct values, by hash, in the order in which they were last seen. The zero recent is empty. While they
// are few they stand in one slice, which is searched from the newest on; else in a list threaded through a table.
type recent struct {
	few  []sighting // oldest first; nil once many is used
	many *chain
}

type sighting struct {
	at   int64
	hash uint64
}

// fewValues is how many stand in the slice at most; the table is left at a quarter of it.
const fewValues = 32

func (r *recent) len() int {
	if r.many != nil {
		return len(r.many.index)
	}
	return len(r.few)
}

// oldest gives the value not seen for longest; there must be one.
func (r *recent) oldest() sighting {
	if r.many != nil {
		return r.many.links[r.many.first].sighting
	}
	return r.few[0]
}

// newest gives the value seen last; there must be one.
func (r *recent) newest() sighting {
	if r.many != nil {
		return r.many.links[r.many.last].sighting
	}
	return r.few[len(r.few)-1]
}

// see makes a value the newest.
func (r *recent) see(s sighting) {
	if r.many != nil {
		r.many.see(s)
		return
	}
	for i, old := range slices.Backward(r.few) {
		if old.hash == s.hash {
			copy(r.few[i:], r.few[i+1:])
			r.few[len(r.few)-1] = s
			return
		}
	}
	if len(r.few) < fewValues {
		r.few = append(r.few, s)
		return
	}
	r.many = newChain()
	for _, old := range r.few {
		r.many.see(old)
	}
	r.few = nil
	r.many.see(s)
}

// pop takes the oldest out.
func (r *recent) pop() {
	if r.many == nil {
		r.few = r.few[:copy(r.few, r.few[1:])]
		return
	}
	if r.many.pop(); len(r.many.index) > fewValues/4 {
		return
	}
	r.few = make([]sighting, 0, fewValues/4)
	r.each(func(s sighting) { r.few = append(r.few, s) })
	r.many = nil
}

// each calls f for every value, oldest first.
func (r *recent) each(f func(sighting)) {
	if r.many == nil {
		for _, s := range r.few {
			f(s)
		}
		return
	}
	for n := r.many.first; n >= 0; n = r.many.links[n].next {
		f(r.many.links[n].sighting)
	}
}

func (r *recent) size() int64 {
	n := int64(cap(r.few)) * int64(unsafe.Sizeof(sighting{}))
	if r.many != nil {
		n += int64(unsafe.Sizeof(chain{})) + int64(cap(r.many.links))*int64(unsafe.Sizeof(link{})) + 24*int64(len(r.many.index))
	}
	return n
}

// chain is a list of values with an index by hash.
type chain struct {
	index       map[uint64]int32
	links       []link
	first, last int32 // −1: none
	free        int32 // unused links, through next
}

type link struct {
	sighting
	before, next int32
}

func newChain() *chain { return &chain{index: map[uint64]int32{}, first: -1, last: -1, free: -1} }

func (c *chain) see(s sighting) {
	n, known := c.index[s.hash]
	switch {
	case known:
		c.unlink(n)
	case c.free >= 0:
		n, c.free = c.free, c.links[c.free].next
	default:
		n = int32(len(c.links)) //nolint:gosec // some ten thousand
		c.links = append(c.links, link{})
	}
	if !known {
		c.index[s.hash] = n
	}
	c.links[n] = link{s, c.last, -1}
	if c.last >= 0 {
		c.links[c.last].next = n
	} else {
		c.first = n
	}
	c.last = n
}

func (c *chain) unlink(n int32) {
	l := c.links[n]
	if l.before >= 0 {
		c.links[l.before].next = l.next
	} else {
		c.first = l.next
	}
	if l.next >= 0 {
		c.links[l.next].before = l.before
	} else {
		c.last = l.before
	}
}

func (c *chain) pop() {
	n := c.first
	delete(c.index, c.links[n].hash)
	c.unlink(n)
	c.links[n] = link{next: c.free}
	c.free = n
}
