package engine

import (
	"encoding/binary"
	"strings"
)

// keyTexts keeps the bytes of many keys by their number, in few large pieces of memory: a million small strings would
// cost as much again in headers and slack, and the collector would have to look at each. A piece lives as long as a
// key in it is used, or a string made of one.
type keyTexts struct {
	at     []uint32 // by number: the piece, and where in it
	pieces []string // the last one grows
	piece  strings.Builder
	held   int // bytes in all pieces
	live   int // of keys in use
}

// A place of 32 bits: 2^16 pieces of as many bytes, 4 GiB of keys. A longer key has a piece of its own.
const pieceBits = 16

// get gives the key with a number.
func (t *keyTexts) get(number uint32) string {
	at := t.at[number]
	s := t.pieces[at>>pieceBits][at&(1<<pieceBits-1):]
	if n := s[0]; n < 0x80 { // nearly always
		return s[1 : 1+int(n)]
	}
	n, size := uvarint(s[:min(len(s), binary.MaxVarintLen64)])
	return s[size : size+int(n)] //nolint:gosec // it was written from a length
}

// set keeps the bytes of a key under a number, which is in use already or the next.
func (t *keyTexts) set(number uint32, key string) {
	if int(number) == len(t.at) {
		t.at = append(t.at, 0)
	}
	t.at[number] = t.add(key)
}

func (t *keyTexts) add(key string) uint32 {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(key)))
	if len(t.pieces) == 0 || t.piece.Cap()-t.piece.Len() < n+len(key) {
		t.piece = strings.Builder{}
		t.piece.Grow(max(1<<pieceBits, n+len(key)))
		t.pieces = append(t.pieces, "")
	}
	from, last := t.piece.Len(), len(t.pieces)-1
	t.piece.Write(head[:n]) // within its capacity, so what lies there never moves
	t.piece.WriteString(key)
	t.pieces[last] = t.piece.String()
	t.held += n + len(key)
	t.live += n + len(key)
	return uint32(last)<<pieceBits | uint32(from) //nolint:gosec // see above
}

// drop says that a key is no longer used. wasteful then says that most of the memory held is of such.
func (t *keyTexts) drop(number uint32) (wasteful bool) {
	n := len(t.get(number))
	t.live -= n + len(binary.AppendUvarint(nil, uint64(n)))
	return t.held > 4<<pieceBits && t.live < t.held/2
}

// renew copies the keys that are in use into new pieces, so that the old ones can go.
func (t *keyTexts) renew(used func(number uint32) bool) {
	old := *t
	*t = keyTexts{at: make([]uint32, 0, len(old.at))}
	for i := range old.at {
		n := uint32(i) //nolint:gosec // it is one
		if used(n) {
			t.set(n, old.get(n))
		} else {
			t.at = append(t.at, 0)
		}
	}
}
