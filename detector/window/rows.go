package window

import (
	"slices"
	"unsafe"
)

// row is what is kept of an event while it is inside.
type row struct {
	at     int64
	weight float64
	value  float64
	flag   bool // of a ratio: it matches; of a metric: a further value of the event before it
}

// rows is the queue of a key's events, oldest first. Columns that say nothing take no memory: weights that are all 1,
// values that are all 0, flags that are all false.
type rows struct {
	at   []int64 // from head on
	head int
	more *columns // nil while nothing is in any of them
}

// columns stand beside rows.at; each is nil while it says nothing.
type columns struct {
	weights []float64
	values  []float64
	flags   []bool
}

func (q *rows) len() int { return len(q.at) - q.head }

// get gives the i-th oldest.
func (q *rows) get(i int) row {
	i += q.head
	r := row{at: q.at[i], weight: 1}
	if q.more == nil {
		return r
	}
	if q.more.weights != nil {
		r.weight = q.more.weights[i]
	}
	if q.more.values != nil {
		r.value = q.more.values[i]
	}
	if q.more.flags != nil {
		r.flag = q.more.flags[i]
	}
	return r
}

func (q *rows) push(r row) {
	if q.head > 0 && len(q.at) == cap(q.at) && q.head >= len(q.at)/2 {
		q.compact()
	}
	n := len(q.at)
	q.at = append(q.at, r.at)
	if r.weight == 1 && r.value == 0 && !r.flag && q.more == nil {
		return
	}
	if q.more == nil {
		q.more = &columns{}
	}
	q.more.weights = column(q.more.weights, n, cap(q.at), 1, r.weight)
	q.more.values = column(q.more.values, n, cap(q.at), 0, r.value)
	q.more.flags = column(q.more.flags, n, cap(q.at), false, r.flag)
}

// column appends to a column of n cells; while it is nil all of them are nothing.
func column[T comparable](c []T, n, room int, nothing, v T) []T {
	if c == nil {
		if v == nothing {
			return nil
		}
		c = make([]T, n, room)
		for i := range c {
			c[i] = nothing
		}
	}
	return append(c, v)
}

// pop takes the oldest out.
func (q *rows) pop() {
	if q.head++; q.head < len(q.at) {
		return
	}
	if q.head, q.more = 0, nil; cap(q.at) > 64 {
		q.at = nil // after a burst
	} else {
		q.at = q.at[:0]
	}
}

// drop takes the newest out.
func (q *rows) drop() {
	n := len(q.at) - 1
	q.at = q.at[:n]
	if m := q.more; m != nil {
		m.weights, m.values, m.flags = m.weights[:min(n, len(m.weights))], m.values[:min(n, len(m.values))], m.flags[:min(n, len(m.flags))]
	}
	if n == q.head {
		q.at, q.head, q.more = q.at[:0], 0, nil
	}
}

// compact moves the rows to the front, into less memory if a burst is over.
func (q *rows) compact() {
	shrink := cap(q.at) > 64 && q.len() < cap(q.at)/4
	q.at = front(q.at, q.head, shrink)
	if m := q.more; m != nil {
		m.weights, m.values, m.flags = front(m.weights, q.head, shrink), front(m.values, q.head, shrink), front(m.flags, q.head, shrink)
	}
	q.head = 0
}

func front[T any](c []T, head int, shrink bool) []T {
	switch {
	case c == nil:
		return nil
	case shrink:
		return slices.Clone(c[head:])
	}
	return c[:copy(c, c[head:])]
}

func (q *rows) size() int64 {
	n := 8 * int64(cap(q.at))
	if m := q.more; m != nil {
		n += int64(unsafe.Sizeof(*m)) + 8*int64(cap(m.weights)+cap(m.values)) + int64(cap(m.flags))
	}
	return n
}

// encode writes the rows; columns that say nothing are left out, whatever was in them before.
func (q *rows) encode(e *Encoder) {
	n := q.len()
	e.Len(n)
	last := int64(0)
	var weighted, valued, flagged bool
	for i := range n {
		r := q.get(i)
		e.Int(r.at - last)
		last = r.at
		weighted, valued, flagged = weighted || r.weight != 1, valued || r.value != 0, flagged || r.flag
	}
	e.Bool(weighted)
	e.Bool(valued)
	e.Bool(flagged)
	for i := range n {
		r := q.get(i)
		if weighted {
			e.Float(r.weight)
		}
		if valued {
			e.Float(r.value)
		}
		if flagged {
			e.Bool(r.flag)
		}
	}
}

// decodeRows reads what encode wrote and gives each row to push.
func decodeRows(d *Decoder, push func(row)) {
	n, last := d.Len(1), int64(0)
	at := make([]int64, 0, n)
	for range n {
		step := d.Int()
		if last += step; step < 0 && len(at) > 0 {
			d.Fail()
		}
		at = append(at, last)
	}
	weighted, valued, flagged := d.Bool(), d.Bool(), d.Bool()
	for _, t := range at {
		r := row{at: t, weight: 1}
		if weighted {
			r.weight = d.Float()
		}
		if valued {
			r.value = d.Float()
		}
		if flagged {
			r.flag = d.Bool()
		}
		if d.Err() != nil {
			return
		}
		push(r)
	}
}
