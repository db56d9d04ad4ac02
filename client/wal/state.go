package wal

import (
	"maps"
	"slices"
)

// state is what a log holds. Not safe for concurrent use.
type state struct {
	prefix  string
	next    uint64
	entries map[uint64][]byte
	bytes   int64 // of the entries' data
}

// apply takes one record up.
func (s *state) apply(r record) bool {
	switch r.kind {
	case kindHead:
		s.prefix, s.next = string(r.data), max(s.next, r.number)
	case kindAdd:
		s.remove(r.number)
		s.entries[r.number] = r.data
		s.bytes += int64(len(r.data))
		s.next = max(s.next, r.number+1)
	case kindRemove:
		s.remove(r.number)
		s.next = max(s.next, r.number+1)
	default:
		return false
	}
	return true
}

func (s *state) remove(number uint64) bool {
	data, ok := s.entries[number]
	if ok {
		s.bytes -= int64(len(data))
		delete(s.entries, number)
	}
	return ok
}

// replay reads a file's content up to the first record that is not whole, and says where that is.
func replay(data []byte) (s *state, good int) {
	s = &state{next: 1, entries: map[uint64][]byte{}}
	for good < len(data) {
		r, n, err := next(data[good:])
		if err != nil || good == 0 != (r.kind == kindHead) || !s.apply(r) {
			return s, good
		}
		good += n
	}
	return s, good
}

// whole gives the records of a file that holds no more than the state.
func (s *state) whole() []byte {
	dst := record{kindHead, s.next, []byte(s.prefix)}.append(nil)
	for _, n := range slices.Sorted(maps.Keys(s.entries)) {
		dst = record{kindAdd, n, s.entries[n]}.append(dst)
	}
	return dst
}
