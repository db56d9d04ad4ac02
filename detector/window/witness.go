package window

import (
	"fmt"
	"strings"
)

// Witness is an event as evidence remembers it: its instant and its id, which a number makes short. It is shared by
// all rules and keys that keep it, and never changed.
type Witness struct {
	at     int64
	head   *string // of the id; shared by all events of a node's boot
	number uint64  // the ten digits that follow; unnumbered: none do
}

const unnumbered = ^uint64(0)

// At gives the event's instant.
func (w *Witness) At() int64 { return w.at }

// ID gives the event's id, "" for nil.
func (w *Witness) ID() string {
	switch {
	case w == nil:
		return ""
	case w.number == unnumbered:
		return *w.head
	}
	return fmt.Sprintf("%s%010d", *w.head, w.number)
}

// before says whether w comes first in the order of (instant, id).
func (w *Witness) before(x *Witness) bool {
	switch {
	case w.at != x.at:
		return w.at < x.at
	case w.head == x.head:
		return w.number < x.number // of the same length
	}
	n := min(len(*w.head), len(*x.head))
	if c := strings.Compare((*w.head)[:n], (*x.head)[:n]); c != 0 {
		return c < 0
	}
	return w.ID() < x.ID()
}

// Witnesses makes witnesses. The zero Witnesses is ready.
type Witnesses struct {
	heads map[string]*string
	last  *string
}

// Of makes the witness of an event. The id is not kept.
func (m *Witnesses) Of(at int64, id string) *Witness {
	head, number, numbered := splitID(id)
	if !numbered {
		own := strings.Clone(id)
		return &Witness{at, &own, unnumbered}
	}
	return &Witness{at, m.head(head), number}
}

func (m *Witnesses) head(text string) *string {
	if m.last != nil && *m.last == text {
		return m.last
	}
	h := m.heads[text]
	if h == nil {
		if m.heads == nil || len(m.heads) >= maxPrefixes {
			m.heads = map[string]*string{} // those in use live on; only new ones are no longer the same
		}
		own := strings.Clone(text)
		h = &own
		m.heads[own] = h
	}
	m.last = h
	return h
}

// Encode writes a witness.
func (w *Witness) Encode(e *Encoder) {
	e.Int(w.at)
	e.String(*w.head)
	e.Uint(w.number + 1) // 0: none
}

// Decode reads a witness.
func (m *Witnesses) Decode(d *Decoder) *Witness {
	at, text := d.Int(), d.raw()
	head := m.last
	if head == nil || *head != string(text) {
		head = nil
	}
	number := d.Uint() - 1
	switch {
	case number == unnumbered:
		own := string(text)
		return &Witness{at, &own, unnumbered}
	case number > 9_999_999_999:
		d.Fail()
	case head == nil:
		head = m.head(string(text))
	}
	return &Witness{at, head, number}
}
