package window

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// idTable remembers ids of any form by their hashes: a table with open addressing of 16 bytes a place, without
// pointers. What is to be forgotten is passed over and goes when the table is next made anew. The zero idTable is empty.
type idTable struct {
	places []idHash
	used   int   // places that are not empty
	oldest int32 // what lies in this slot or before is forgotten
	steps  int   // times that something was forgotten since the table was made anew
}

// idHash is 96 bits of hash, so that two ids that hash alike, which would lose an event without a trace, need not be
// feared, and the slot. All zero: an empty place.
type idHash struct {
	a    uint64
	b    uint32
	slot int32
}

// hashID hashes an event.id.
func hashID(id string) idHash {
	// FNV-1a beside xxHash: two unrelated functions, and both are fast on ids of some thirty bytes.
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return idHash{a: xxhash.Sum64String(id) | 1, b: uint32(h ^ h>>32)} //nolint:gosec // its lower half
}

// place gives where a hash is, or the empty place where it would be. There is always an empty one.
func (t *idTable) place(h idHash) int {
	n := uint64(len(t.places))
	high, _ := bits.Mul64(h.a, n)
	i := int(high) //nolint:gosec // below the length
	for {
		p := &t.places[i]
		if p.a == 0 || p.a == h.a && p.b == h.b {
			return i
		}
		if i++; i == len(t.places) {
			i = 0
		}
	}
}

func (t *idTable) live(p idHash) bool { return p.a != 0 && (p.slot > t.oldest || t.oldest == 0) }

func (t *idTable) has(h idHash) bool {
	return len(t.places) > 0 && t.live(t.places[t.place(h)])
}

// add remembers a hash and says whether it is new.
func (t *idTable) add(h idHash, slot int32) bool {
	if t.used+t.used/4 >= len(t.places) {
		t.rebuild()
	}
	p := &t.places[t.place(h)]
	if t.live(*p) {
		return false
	}
	if p.a == 0 {
		t.used++
	}
	h.slot = slot
	*p = h
	return true
}

// rebuild makes the table anew with what is not forgotten, half full.
func (t *idTable) rebuild() {
	old := t.places
	n := t.count()
	t.places, t.used, t.steps = make([]idHash, max(64, n+n*3/4)), n, 0
	for _, p := range old {
		if t.live(p) {
			t.places[t.place(p)] = p
		}
	}
}

// forget drops what is not newer than a slot.
func (t *idTable) forget(slot int32) {
	if slot == 0 { // stands for nothing forgotten
		return
	}
	t.oldest = slot
	if t.steps++; t.steps >= forgetSteps && t.used > 0 { // gives memory back
		t.rebuild()
	}
}

func (t *idTable) count() int {
	n := 0
	for _, p := range t.places {
		if t.live(p) {
			n++
		}
	}
	return n
}

func (t *idTable) encode(e *Encoder) {
	e.Int(int64(t.oldest))
	e.Len(t.count())
	for _, p := range t.places {
		if t.live(p) {
			e.Fixed(p.a)
			e.Fixed(uint64(p.b)<<32 | uint64(uint32(p.slot))) //nolint:gosec // the same bits
		}
	}
}

func (t *idTable) decode(d *Decoder) {
	t.oldest = int32(d.Int()) //nolint:gosec // it was encoded from as many bits
	n := d.Len(16)
	t.places = make([]idHash, max(64, n+n*3/4))
	for range n {
		a, rest := d.Fixed(), d.Fixed()
		p := idHash{a | 1, uint32(rest >> 32), int32(uint32(rest))} //nolint:gosec // the same bits
		if i := t.place(p); t.places[i].a == 0 {
			t.places[i] = p
			t.used++
		}
	}
}
