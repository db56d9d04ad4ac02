package window

import (
	"cmp"
	"slices"
	"unique"

	"imwatch/event"
)

// MaxEvidence is how many of the newest events the top values are counted over at most.
const MaxEvidence = 10_000

// Tag is a value of one of the fields that a rule's evidence counts.
type Tag struct {
	Field uint8 // place in the rule's list
	Value unique.Handle[string]
}

// Evidence keeps the newest events of a key and the values of the fields that are counted for people. The zero
// Evidence is empty and ready.
type Evidence struct {
	last *Witness
	more *moreEvidence // nil while there is none: most keys never have a second event
}

// moreEvidence is the events before the last, in a ring, and what is counted.
type moreEvidence struct {
	ids  []*Witness
	next int         // the oldest, once the ring is full
	few  [4]*Witness // where ids lie for the usual number of them
	tags []tagged
}

type tagged struct {
	at     int64
	weight float64
	tags   []Tag
}

// Add takes an event in. keep is how many are kept; tags belong to the evidence from now on, and nil means that
// the rule counts nothing.
func (v *Evidence) Add(w *Witness, weight float64, keep int, tags []Tag) {
	if keep > 0 {
		if v.last != nil && keep > 1 {
			v.further().retire(v.last, keep-1)
		}
		v.last = w
	}
	if tags != nil {
		m := v.further()
		m.tags = append(m.tags, tagged{w.at, weight, tags})
	}
}

func (v *Evidence) further() *moreEvidence {
	if v.more == nil {
		v.more = &moreEvidence{}
		v.more.ids = v.more.few[:0]
	}
	return v.more
}

// retire puts an event among the older ones, of which there are at most n.
func (m *moreEvidence) retire(w *Witness, n int) {
	if len(m.ids) == n {
		m.ids[m.next] = w
		if m.next++; m.next == n {
			m.next = 0
		}
		return
	}
	if m.next > 0 || len(m.ids) > n { // the rule keeps another number than before
		ids := slices.Concat(m.ids[m.next:], m.ids[:m.next])
		m.ids, m.next = ids[max(0, len(ids)-n+1):], 0
	}
	m.ids = append(m.ids, w)
}

// Trim drops what lies before the instant since. Ids may stay until they are asked for.
func (v *Evidence) Trim(since int64) {
	if v.more == nil {
		return
	}
	// Amortised: the front is cut when half of it is old.
	tags := v.more.tags
	if n := len(tags); n > 0 && (tags[n/2].at < since || n >= 2*MaxEvidence) {
		from, _ := slices.BinarySearchFunc(tags, since, func(t tagged, at int64) int { return cmp.Compare(t.at, at) })
		v.more.tags = slices.Delete(tags, 0, max(from, n-MaxEvidence))
	}
}

// Clear drops everything.
func (v *Evidence) Clear() {
	v.last = nil
	if m := v.more; m != nil {
		clear(m.ids)
		clear(m.tags)
		m.ids, m.next, m.tags = m.ids[:0], 0, m.tags[:0]
	}
}

// events gives the events kept, oldest first.
func (v *Evidence) events() []*Witness {
	var ws []*Witness
	if m := v.more; m != nil {
		ws = append(append(ws, m.ids[m.next:]...), m.ids[:m.next]...)
	}
	if v.last != nil {
		ws = append(ws, v.last)
	}
	return ws
}

// IDs gives the ids of the keep newest events since an instant, oldest first.
func (v *Evidence) IDs(since int64, keep int) []string {
	ids := []string{}
	events := v.events()
	for _, w := range events[max(0, len(events)-keep):] {
		if w.at >= since {
			ids = append(ids, w.ID())
		}
	}
	return ids
}

// Top gives the n most frequent values of a field among the events since an instant: by weight, then by value.
func (v *Evidence) Top(since int64, field uint8, n int) []event.TopValue {
	counts := map[unique.Handle[string]]float64{}
	for _, t := range v.counted() {
		if t.at < since {
			continue
		}
		for _, tag := range t.tags {
			if tag.Field == field {
				counts[tag.Value] += t.weight
			}
		}
	}
	top := make([]event.TopValue, 0, len(counts))
	for value, count := range counts {
		top = append(top, event.TopValue{Value: value.Value(), Count: count})
	}
	slices.SortFunc(top, func(a, b event.TopValue) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return top[:min(n, len(top))]
}

// counted gives the events over which values are counted.
func (v *Evidence) counted() []tagged {
	if v.more == nil {
		return nil
	}
	return v.more.tags[max(0, len(v.more.tags)-MaxEvidence):]
}

// Encode writes the evidence.
func (v *Evidence) Encode(e *Encoder) {
	if v.more == nil && v.last != nil { // nearly always
		e.Len(1)
		v.last.Encode(e)
		e.Len(0)
		return
	}
	events := v.events()
	e.Len(len(events))
	for _, w := range events {
		w.Encode(e)
	}
	tags := v.counted()
	e.Len(len(tags))
	for _, t := range tags {
		e.Int(t.at)
		e.Float(t.weight)
		e.Len(len(t.tags))
		for _, tag := range t.tags {
			e.Uint(uint64(tag.Field))
			e.String(tag.Value.Value())
		}
	}
}

// Decode reads evidence that Encode wrote into an empty one. fields maps the places of fields then to those now, -1
// where the rule no longer counts one.
func (v *Evidence) Decode(d *Decoder, from *Witnesses, fields []int) {
	ids := d.Len(3)
	for i := range ids {
		w := from.Decode(d)
		if i < ids-1 {
			v.further().retire(w, ids-1)
		} else {
			v.last = w
		}
	}
	for range d.Len(10) {
		t := tagged{at: d.Int(), weight: d.Float()}
		for range d.Len(2) {
			place, value := d.Uint(), d.String()
			if place >= uint64(len(fields)) {
				d.Fail()
				return
			}
			if now := fields[place]; now >= 0 {
				t.tags = append(t.tags, Tag{uint8(now), unique.Make(value)}) //nolint:gosec // a rule has few fields
			}
		}
		m := v.further()
		m.tags = append(m.tags, t)
	}
}
