package engine

import "strings"

// keyTexts keeps the bytes of many keys in few large pieces of memory: a million small strings would cost as much again
// in slack, and the collector would have to look at each. A piece lives as long as one of its keys is used.
type keyTexts struct {
	piece *strings.Builder
	held  int // bytes in all pieces
	live  int // of keys in use
}

const pieceSize = 64 << 10

// add gives a copy of a key.
func (t *keyTexts) add(key string) string {
	if t.piece == nil || t.piece.Cap()-t.piece.Len() < len(key) {
		t.piece = &strings.Builder{}
		t.piece.Grow(max(pieceSize, len(key)))
	}
	from := t.piece.Len()
	t.piece.WriteString(key) // within its capacity, so it never moves
	t.held += len(key)
	t.live += len(key)
	return t.piece.String()[from:]
}

// drop says that a key is no longer used. wasteful then says that most of the memory held is of such.
func (t *keyTexts) drop(key string) (wasteful bool) {
	t.live -= len(key)
	return t.held > 4*pieceSize && t.live < t.held/2
}

// renew copies all keys into new pieces, so that the old ones can go.
func (t *keyTexts) renew(keys []string) {
	*t = keyTexts{}
	for i, key := range keys {
		if key != "" {
			keys[i] = t.add(key)
		}
	}
}
