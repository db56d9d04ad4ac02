package engine

import "hash/maphash"

// keyIndex finds a key's number by its bytes: a table with open addressing, eight bytes a place, without pointers; the
// keys themselves stand elsewhere. Hashes are seeded, since others choose the keys. The zero keyIndex is empty.
type keyIndex struct {
	places []keyPlace
	used   int
}

type keyPlace struct {
	hash   uint32
	number uint32 // + 1; 0: empty
}

var keySeed = maphash.MakeSeed() //nolint:gochecknoglobals // one for the process, never changed

func hashKey(key string) uint32 { return uint32(maphash.String(keySeed, key)) } //nolint:gosec // its lower half

// find gives the number of a key.
func (x *keyIndex) find(key string, texts *keyTexts) (uint32, bool) {
	if x.used == 0 {
		return 0, false
	}
	h := hashKey(key)
	for i := x.home(h); x.places[i].number != 0; i = x.after(i) {
		if p := x.places[i]; p.hash == h && texts.get(p.number-1) == key {
			return p.number - 1, true
		}
	}
	return 0, false
}

// findBytes is find for a key that is not a string yet.
func (x *keyIndex) findBytes(key []byte, texts *keyTexts) (uint32, bool) {
	if x.used == 0 {
		return 0, false
	}
	h := uint32(maphash.Bytes(keySeed, key)) //nolint:gosec // its lower half
	for i := x.home(h); x.places[i].number != 0; i = x.after(i) {
		if p := x.places[i]; p.hash == h && texts.get(p.number-1) == string(key) {
			return p.number - 1, true
		}
	}
	return 0, false
}

// insert puts in a key that is not there.
func (x *keyIndex) insert(key string, number uint32) {
	if 4*(x.used+1) > 3*len(x.places) {
		x.resize(max(16, len(x.places)+len(x.places)/2))
	}
	x.put(keyPlace{hashKey(key), number + 1})
	x.used++
}

func (x *keyIndex) put(p keyPlace) {
	i := x.home(p.hash)
	for x.places[i].number != 0 {
		i = x.after(i)
	}
	x.places[i] = p
}

// remove takes out a key that is there, and moves up those that had to give way to it.
func (x *keyIndex) remove(key string, number uint32) {
	i := x.home(hashKey(key))
	for x.places[i].number != number+1 {
		i = x.after(i)
	}
	x.used--
	for j := x.after(i); x.places[j].number != 0; j = x.after(j) {
		if home := x.home(x.places[j].hash); x.distance(home, j) >= x.distance(i, j) {
			x.places[i] = x.places[j]
			i = j
		}
	}
	x.places[i] = keyPlace{}
	if n := len(x.places); n > 1024 && x.used < n/8 {
		x.resize(n / 4)
	}
}

func (x *keyIndex) resize(n int) {
	old := x.places
	x.places = make([]keyPlace, n)
	for _, p := range old {
		if p.number != 0 {
			x.put(p)
		}
	}
}

// home gives the place where a hash belongs.
func (x *keyIndex) home(h uint32) int { return int(uint64(h) * uint64(len(x.places)) >> 32) } //nolint:gosec // below the length

func (x *keyIndex) after(i int) int {
	if i++; i == len(x.places) {
		return 0
	}
	return i
}

// distance gives how far j lies after i.
func (x *keyIndex) distance(i, j int) int {
	if j < i {
		return j + len(x.places) - i
	}
	return j - i
}
