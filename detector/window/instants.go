package window

// instants is a ring of the instants of events, oldest first. The zero instants is empty.
type instants struct {
	ring    []int64
	head, n uint32
}

// index gives the place of number i in the ring.
func (q *instants) index(i int) int {
	j := int(q.head) + i
	if j >= len(q.ring) {
		j -= len(q.ring)
	}
	return j
}

// at gives the instant number i.
func (q *instants) at(i int) int64 { return q.ring[q.index(i)] }

// first gives the oldest instant; there must be one.
func (q *instants) first() int64 { return q.ring[q.head] }

// last gives the newest instant; there must be one.
func (q *instants) last() int64 { return q.at(int(q.n) - 1) }

func (q *instants) full() bool { return int(q.n) == len(q.ring) }

// push takes an instant in and gives its place. The ring must not be full.
func (q *instants) push(at int64) (place int) {
	place = q.index(int(q.n))
	q.ring[place] = at
	q.n++
	return place
}

// pop drops the first instant, which must exist.
func (q *instants) pop() {
	q.n--
	if q.head++; int(q.head) == len(q.ring) {
		q.head = 0
	}
}

// slack says whether most of the ring has been empty since a burst.
func (q *instants) slack() bool { return len(q.ring) > 32 && int(q.n) < len(q.ring)/8 }

// unroll gives the things beside the instants in a ring of another size, from place 0 on.
func unroll[T any](q *instants, ring []T, size int) []T {
	out := make([]T, size)
	n := copy(out, ring[q.head:min(int(q.head)+int(q.n), len(ring))])
	copy(out[n:], ring[:int(q.n)-n])
	return out
}
