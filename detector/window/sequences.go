package window

import (
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// sequences remembers numbered ids: for each prefix (a node's boot) the numbers, in blocks of bits. Numbers come
// nearly in order, so a block is full soon, and all of it is forgotten with its newest event.
type sequences struct {
	byPrefix map[string]*sequence
	last     *sequence // the one asked for last
}

// maxPrefixes bounds the prefixes: ids that only look numbered would each have one of their own.
const maxPrefixes = 4096

type sequence struct {
	prefix string
	blocks map[uint32]*idBlock
	at     uint32 // the block used last
	block  *idBlock
}

// idBlock is 256 numbers.
type idBlock struct {
	bits [4]uint64
	slot int32 // of the newest event
}

func newSequences() sequences { return sequences{byPrefix: map[string]*sequence{}} }

// of gives the sequence of a prefix, nil when there is no room for another.
func (s *sequences) of(prefix string) *sequence {
	if s.last != nil && s.last.prefix == prefix {
		return s.last
	}
	q := s.byPrefix[prefix]
	if q == nil {
		if len(s.byPrefix) >= maxPrefixes {
			return nil
		}
		q = &sequence{prefix: strings.Clone(prefix), blocks: map[uint32]*idBlock{}}
		s.byPrefix[q.prefix] = q
	}
	s.last = q
	return q
}

// add remembers a number and says whether it is new.
func (q *sequence) add(number uint64, slot int32) bool {
	b := q.find(uint32(number >> 8)) //nolint:gosec // ten digits are less than 2^40
	word, bit := number>>6&3, uint64(1)<<(number&63)
	if b.bits[word]&bit != 0 {
		return false
	}
	if b.bits == [4]uint64{} || slot > b.slot {
		b.slot = slot
	}
	b.bits[word] |= bit
	return true
}

// find gives a block, an empty one if need be.
func (q *sequence) find(n uint32) *idBlock {
	if q.block != nil && q.at == n {
		return q.block
	}
	b := q.blocks[n]
	if b == nil {
		b = &idBlock{}
		q.blocks[n] = b
	}
	q.at, q.block = n, b
	return b
}

// forget drops what is not newer than a slot.
func (s *sequences) forget(slot int32) {
	s.last = nil
	for prefix, q := range s.byPrefix {
		q.block = nil
		maps.DeleteFunc(q.blocks, func(_ uint32, b *idBlock) bool { return b.slot <= slot })
		if len(q.blocks) == 0 {
			delete(s.byPrefix, prefix)
		}
	}
}

func (s *sequences) count() int {
	n := 0
	for _, q := range s.byPrefix {
		for _, b := range q.blocks {
			for _, word := range b.bits {
				n += bits.OnesCount64(word)
			}
		}
	}
	return n
}

func (s *sequences) encode(e *Encoder) {
	e.Len(len(s.byPrefix))
	for _, prefix := range slices.Sorted(maps.Keys(s.byPrefix)) {
		q := s.byPrefix[prefix]
		e.String(prefix)
		e.Len(len(q.blocks))
		for _, n := range slices.Sorted(maps.Keys(q.blocks)) {
			b := q.blocks[n]
			e.Uint(uint64(n))
			e.Int(int64(b.slot))
			for _, word := range b.bits {
				e.Fixed(word)
			}
		}
	}
}

func (s *sequences) decode(d *Decoder) {
	for range d.Len(2) {
		q := s.of(d.String())
		if q == nil {
			d.Fail()
			return
		}
		for range d.Len(34) {
			b := q.find(uint32(d.Uint()))        //nolint:gosec // it was encoded from as many bits
			b.slot = max(b.slot, int32(d.Int())) //nolint:gosec // likewise
			for i := range b.bits {
				b.bits[i] |= d.Fixed()
			}
		}
	}
}
