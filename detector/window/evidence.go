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

// Evidence keeps the ids of a key's newest events and the values of the fields that are counted for people. The zero
// Evidence is empty and ready.
type Evidence struct {
	ids  []mark
	tags []tagged
}

type mark struct {
	at int64
	id string
}

type tagged struct {
	at     int64
	weight float64
	tags   []Tag
}

// Add takes an event in. keep is how many ids are kept; tags belong to the evidence from now on, and nil means that
// the rule counts nothing.
func (v *Evidence) Add(at int64, id string, weight float64, keep int, tags []Tag) {
	if over := len(v.ids) + 1 - keep; over > 0 {
		v.ids = v.ids[:copy(v.ids, v.ids[min(over, len(v.ids)):])]
	}
	if keep > 0 {
		v.ids = append(v.ids, mark{at, id})
	}
	if tags != nil {
		v.tags = append(v.tags, tagged{at, weight, tags})
	}
}

// Trim drops what lies before the instant since.
func (v *Evidence) Trim(since int64) {
	if len(v.ids) > 0 && v.ids[0].at < since {
		v.ids = slices.DeleteFunc(v.ids, func(m mark) bool { return m.at < since })
	}
	// Amortised: the front is cut when half of it is old.
	if n := len(v.tags); n > 0 && (v.tags[n/2].at < since || n >= 2*MaxEvidence) {
		from, _ := slices.BinarySearchFunc(v.tags, since, func(t tagged, at int64) int { return cmp.Compare(t.at, at) })
		v.tags = slices.Delete(v.tags, 0, max(from, n-MaxEvidence))
	}
}

// Clear drops everything.
func (v *Evidence) Clear() { v.ids, v.tags = v.ids[:0], v.tags[:0] }

// IDs gives the ids of the newest events, oldest first.
func (v *Evidence) IDs() []string {
	ids := make([]string, len(v.ids))
	for i, m := range v.ids {
		ids[i] = m.id
	}
	return ids
}

// Top gives the n most frequent values of a field among the events since an instant: by weight, then by value.
func (v *Evidence) Top(since int64, field uint8, n int) []event.TopValue {
	counts := map[unique.Handle[string]]float64{}
	for _, t := range v.tags[max(0, len(v.tags)-MaxEvidence):] {
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

// Encode writes the evidence.
func (v *Evidence) Encode(e *Encoder) {
	e.Len(len(v.ids))
	for _, m := range v.ids {
		e.Int(m.at)
		e.String(m.id)
	}
	e.Len(len(v.tags))
	for _, t := range v.tags {
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
func (v *Evidence) Decode(d *Decoder, fields []int) {
	for range d.Len(2) {
		v.ids = append(v.ids, mark{d.Int(), d.String()})
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
		v.tags = append(v.tags, t)
	}
}
