package window

import "github.com/cespare/xxhash/v2"

// ID is the hash of an event.id. 128 bits: two ids that hash alike would lose an event without a trace.
type ID struct{ a, b uint64 }

// HashID hashes an event.id.
func HashID(id string) ID {
	// FNV-1a beside xxHash: two unrelated functions, and both are fast on ids of some thirty bytes.
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return ID{xxhash.Sum64String(id), h}
}

// Seen remembers the ids of events for a span of event time, so that a repeat is known. Make it with NewSeen.
type Seen struct {
	keep  int64 // how long an id is remembered after its event's instant
	ids   map[ID]struct{}
	slots map[int64][]ID // by instant / slotWidth: ids are forgotten a slot at a time
	first int64          // no slot lies before this one
}

// slotWidth is how exactly ids are forgotten: never too early, up to this much too late.
const slotWidth = int64(10e9)

// NewSeen makes an empty memory that keeps ids for the span keep.
func NewSeen(keep int64) *Seen {
	return &Seen{keep: keep, ids: map[ID]struct{}{}, slots: map[int64][]ID{}, first: Never}
}

// Keep changes the span, when rules change.
func (s *Seen) Keep(span int64) { s.keep = span }

// Len gives how many ids are remembered.
func (s *Seen) Len() int { return len(s.ids) }

// Add remembers the id of an event at an instant, and says whether it is new.
func (s *Seen) Add(at int64, id ID) bool {
	if _, there := s.ids[id]; there {
		return false
	}
	s.ids[id] = struct{}{}
	n := at / slotWidth
	s.slots[n] = append(s.slots[n], id)
	s.first = min(s.first, n)
	return true
}

// Forget drops the ids of events that lie more than the span before the instant now.
func (s *Seen) Forget(now int64) {
	if now == None {
		return
	}
	last := Add(now, -s.keep)/slotWidth - 2 // rounding is towards zero: one slot of slack on either side of 1970
	if s.first > last {
		return
	}
	next := Never
	for n, ids := range s.slots {
		if n > last {
			next = min(next, n)
			continue
		}
		for _, id := range ids {
			delete(s.ids, id)
		}
		delete(s.slots, n)
	}
	s.first = next
}

// Encode writes the memory.
func (s *Seen) Encode(e *Encoder) {
	e.Len(len(s.slots))
	for n, ids := range s.slots {
		e.Int(n)
		e.Len(len(ids))
		for _, id := range ids {
			e.Fixed(id.a)
			e.Fixed(id.b)
		}
	}
}

// Decode reads a memory that Encode wrote into an empty one.
func (s *Seen) Decode(d *Decoder) {
	for range d.Len(2) {
		n := d.Int()
		count := d.Len(16)
		ids := make([]ID, 0, count)
		for range count {
			id := ID{d.Fixed(), d.Fixed()}
			ids = append(ids, id)
			s.ids[id] = struct{}{}
		}
		s.slots[n] = append(s.slots[n], ids...)
		s.first = min(s.first, n)
	}
}
