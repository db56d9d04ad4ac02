package window

// Buffer puts things in order of their events' (instant, id). What arrives in order costs nothing; what does not goes through a
// heap. The zero Buffer is empty and ready.
type Buffer[T any] struct {
	line []entry[T] // arrived in order, from head on
	head int
	heap []entry[T]
}

// maxIdle is for how many things memory is kept while there are none.
const maxIdle = 4096

type entry[T any] struct {
	at int64 // of w: most comparisons need no more
	w  *Witness
	v  T
}

func (a *entry[T]) before(b *entry[T]) bool { return a.at < b.at || a.at == b.at && a.w.before(b.w) }

// Len gives how many things are held.
func (b *Buffer[T]) Len() int { return len(b.line) - b.head + len(b.heap) }

// Push takes a thing in.
func (b *Buffer[T]) Push(w *Witness, v T) {
	e := entry[T]{w.at, w, v}
	if n := len(b.line); n == b.head || !e.before(&b.line[n-1]) {
		b.line = append(b.line, e)
		return
	}
	b.up(e)
}

// Next gives the instant of the first thing, Never when there is none.
func (b *Buffer[T]) Next() int64 {
	switch e := b.first(); e {
	case nil:
		return Never
	default:
		return e.at
	}
}

// Pop takes the first thing out, which must exist.
func (b *Buffer[T]) Pop() T {
	if e := b.first(); len(b.heap) > 0 && e == &b.heap[0] {
		return b.down()
	}
	v := b.line[b.head].v
	b.line[b.head] = entry[T]{}
	b.head++
	if b.head == len(b.line) && cap(b.line) > maxIdle {
		b.line, b.head = nil, 0 // a burst is over
	}
	if b.head > 64 && b.head > len(b.line)/2 {
		n := copy(b.line, b.line[b.head:])
		clear(b.line[n:])
		b.line, b.head = b.line[:n], 0
	}
	return v
}

// Each calls f for everything held, in no particular order.
func (b *Buffer[T]) Each(f func(T)) {
	for i := b.head; i < len(b.line); i++ {
		f(b.line[i].v)
	}
	for i := range b.heap {
		f(b.heap[i].v)
	}
}

func (b *Buffer[T]) first() *entry[T] {
	var e *entry[T]
	if b.head < len(b.line) {
		e = &b.line[b.head]
	}
	if len(b.heap) > 0 && (e == nil || b.heap[0].before(e)) {
		e = &b.heap[0]
	}
	return e
}

func (b *Buffer[T]) up(e entry[T]) {
	b.heap = append(b.heap, e)
	i := len(b.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !b.heap[i].before(&b.heap[parent]) {
			return
		}
		b.heap[i], b.heap[parent] = b.heap[parent], b.heap[i]
		i = parent
	}
}

func (b *Buffer[T]) down() T {
	v, last := b.heap[0].v, len(b.heap)-1
	b.heap[0] = b.heap[last]
	b.heap[last] = entry[T]{}
	b.heap = b.heap[:last]
	for i := 0; ; {
		least, left := i, 2*i+1
		for c := left; c <= left+1 && c < last; c++ {
			if b.heap[c].before(&b.heap[least]) {
				least = c
			}
		}
		if least == i {
			return v
		}
		b.heap[i], b.heap[least] = b.heap[least], b.heap[i]
		i = least
	}
}
