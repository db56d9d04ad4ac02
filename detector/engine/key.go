package engine

import (
	"encoding/binary"
	"slices"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// A key is written as its parts one after the other, each with its length, so that no two lists of values give the
// same bytes: 0 for a missing one, else the length + 1 and the text.

func appendPart(dst []byte, text string, missing bool) []byte {
	if missing {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(text))+1)
	return append(dst, text...)
}

// splitKey gives the parts of a key; ok is false for bytes that are no key of n parts.
func splitKey(key string, n int) (parts []Part, ok bool) {
	parts = make([]Part, 0, n)
	for range n {
		u, size := uvarint(key)
		if size <= 0 || u > uint64(len(key)-size)+1 {
			return nil, false
		}
		key = key[size:]
		if u == 0 {
			parts = append(parts, Part{Missing: true})
			continue
		}
		parts = append(parts, Part{Text: key[:u-1]})
		key = key[u-1:]
	}
	return parts, key == ""
}

// withoutLast gives the length of a key's parts but the last of n.
func withoutLast(key string, n int) int {
	at := 0
	for range n - 1 {
		u, size := uvarint(key[at:])
		at += size
		if u > 0 {
			at += int(u - 1) //nolint:gosec // a length within the key
		}
	}
	return at
}

func uvarint(s string) (uint64, int) {
	var b [binary.MaxVarintLen64]byte
	return binary.Uvarint(b[:copy(b[:], s)])
}

// Part is one value of a key.
type Part struct {
	Text    string
	Missing bool // the event has no such field; not the same as a field with an empty text
}

// String gives the text that stands in alerts.
func (p Part) String() string {
	if p.Missing {
		return rule.Missing
	}
	return p.Text
}

// maxKeys is how many keys one event may have, where several fields of group_by are lists. What goes beyond is told
// as overflow: a single line of lists could otherwise ask for millions.
const maxKeys = 4096

// keyspace numbers the keys of all rules with the same group_by, so that an event's key is looked up once for all of
// them.
type keyspace struct {
	fields []filter.Field
	index  keyIndex
	texts  keyTexts // the keys, by number
	refs   []int32  // how many rules keep state for it
	free   []uint32

	// The key looked up last: the rules that share the space ask for the same one after another.
	last       string
	lastNumber uint32
	lastKnown  bool

	// The keys of the event at hand.
	epoch   uint64
	one     string
	more    []string
	cut     bool
	scratch []byte
}

func newKeyspace(fields []filter.Field) *keyspace {
	return &keyspace{fields: fields}
}

// of gives the keys of an event: the first, and the others where a field is a list. cut says that there were too many.
func (s *keyspace) of(e *event.Event, epoch uint64) (first string, more []string, cut bool) {
	if s.epoch == epoch {
		return s.one, s.more, s.cut
	}
	s.epoch, s.more, s.cut = epoch, nil, false
	s.scratch = s.scratch[:0]
	for _, f := range s.fields {
		v, has := f.Value(e)
		if has && v.List != nil {
			s.lists(e)
			return s.one, s.more, s.cut
		}
		s.scratch = appendPart(s.scratch, v.Text, !has)
	}
	s.one = s.known(s.scratch)
	return s.one, nil, false
}

// lists makes the keys of an event with lists: every combination of their distinct elements.
func (s *keyspace) lists(e *event.Event) {
	keys := [][]byte{nil}
	for _, f := range s.fields {
		var next [][]byte
		for _, part := range partsOf(f, e) {
			for _, k := range keys {
				if len(next) == maxKeys {
					s.cut = true
					break
				}
				next = append(next, appendPart(slices.Clone(k), part.Text, part.Missing))
			}
		}
		keys = next
	}
	s.one = s.known(keys[0])
	for _, k := range keys[1:] {
		s.more = append(s.more, s.known(k))
	}
}

// partsOf gives the distinct values of one field of group_by.
func partsOf(f filter.Field, e *event.Event) []Part {
	v, has := f.Value(e)
	if !has {
		return []Part{{Missing: true}}
	}
	seen := map[string]bool{}
	var parts []Part
	v.Each(func(v event.Value) bool {
		if !seen[v.Text] {
			seen[v.Text] = true
			parts = append(parts, Part{Text: v.Text})
		}
		return len(parts) <= maxKeys
	})
	return parts
}

// known gives the string of a key, the one in use if there is one.
func (s *keyspace) known(key []byte) string {
	if n, ok := s.index.findBytes(key, &s.texts); ok {
		return s.texts.get(n)
	}
	return string(key)
}

// find gives a key's number, if it has one.
func (s *keyspace) find(key string) (uint32, bool) {
	if s.lastKnown && s.last == key {
		return s.lastNumber, true
	}
	n, ok := s.index.find(key, &s.texts)
	if ok {
		s.last, s.lastNumber, s.lastKnown = key, n, true
	}
	return n, ok
}

// hold gives a key's number and keeps it from being used for another until drop is called as often.
func (s *keyspace) hold(key string) uint32 {
	n, ok := s.index.find(key, &s.texts)
	switch {
	case ok:
	case len(s.free) > 0:
		n = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.texts.set(n, key)
		s.index.insert(key, n)
	default:
		n = uint32(len(s.refs)) //nolint:gosec // memory ends before 2^32 keys
		s.texts.set(n, key)
		s.refs = append(s.refs, 0)
		s.index.insert(key, n)
	}
	s.refs[n]++
	return n
}

func (s *keyspace) drop(n uint32) {
	if s.refs[n]--; s.refs[n] == 0 {
		s.index.remove(s.texts.get(n), n)
		s.lastKnown = false
		s.free = append(s.free, n)
		if s.texts.drop(n) {
			s.texts.renew(func(n uint32) bool { return s.refs[n] > 0 })
		}
	}
}
