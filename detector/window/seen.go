package window

// Seen remembers the ids of events for a span of event time, so that a repeat is known. Ids as our servers number them
// (`<node>-<boot>-<sequence>`) take a bit each, all others a place in a table of hashes. Make it with NewSeen.
type Seen struct {
	keep     int64 // how long an id is remembered after its event's instant
	numbered sequences
	hashed   idTable
	next     int64 // the slot at which ids are forgotten next
}

// slotWidth is how exactly the instants of ids are known.
const slotWidth = int64(10e9)

// forgetSteps is in how many steps a span's ids are forgotten: an id stays at most this part of the span too long, and
// is looked at this often.
const forgetSteps = 16

// NewSeen makes an empty memory that keeps ids for the span keep.
func NewSeen(keep int64) *Seen {
	return &Seen{keep: keep, numbered: newSequences(), next: None}
}

// Keep changes the span, when rules change.
func (s *Seen) Keep(span int64) {
	if span != s.keep {
		s.keep, s.next = span, None
	}
}

// Len gives how many ids are remembered. It counts them.
func (s *Seen) Len() int { return s.numbered.count() + s.hashed.count() }

// Add remembers the id of an event at an instant, and says whether it is new.
func (s *Seen) Add(at int64, id string) bool {
	slot := slotOf(at)
	prefix, number, numbered := splitID(id)
	if !numbered {
		return s.hashed.add(hashID(id), slot)
	}
	q := s.numbered.of(prefix)
	if s.hashed.used > 0 { // it may have been taken there while there was no room here
		h := hashID(id)
		if q == nil {
			return s.hashed.add(h, slot)
		}
		if s.hashed.has(h) {
			return false
		}
	} else if q == nil {
		return s.hashed.add(hashID(id), slot)
	}
	return q.add(number, slot)
}

// Forget drops the ids of events that lie more than the span before the instant now, never one too early.
func (s *Seen) Forget(now int64) {
	if now == None || now == Never {
		return
	}
	last := Add(now, -s.keep)/slotWidth - 2 // rounding is towards zero: one slot of slack on either side of 1970
	if last < s.next {
		return
	}
	s.next = Add(last, max(1, s.keep/slotWidth/forgetSteps))
	s.numbered.forget(slotOf(last * slotWidth))
	s.hashed.forget(slotOf(last * slotWidth))
}

// slotOf gives the slot of an instant: all instants there are fit.
func slotOf(at int64) int32 { return int32(at / slotWidth) } //nolint:gosec // 2^63 ns are less than 2^30 slots

// splitID takes an id apart that ends with a sequence of ten digits, as the event contract has it.
func splitID(id string) (prefix string, number uint64, ok bool) {
	const digits = 10
	cut := len(id) - digits
	if cut < 1 || id[cut-1] != '-' {
		return "", 0, false
	}
	for i := cut; i < len(id); i++ {
		c := id[i] - '0'
		if c > 9 {
			return "", 0, false
		}
		number = number*10 + uint64(c)
	}
	return id[:cut], number, true
}

// Encode writes the memory.
func (s *Seen) Encode(e *Encoder) {
	s.numbered.encode(e)
	s.hashed.encode(e)
}

// Decode reads a memory that Encode wrote into an empty one.
func (s *Seen) Decode(d *Decoder) {
	s.numbered.decode(d)
	s.hashed.decode(d)
}
