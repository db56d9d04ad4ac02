package shard

import "imwatch/detector/window"

// Filter passes over what a router repeats. A router begins again at what its group has committed, and two may write
// at once for a moment; but each writes the records of a partition in their order, and none before all that come before
// it are there. So what lies at or before the greatest offset seen was there already. The zero Filter is empty and ready.
type Filter struct{ next map[int]int64 }

// New says whether a record was not there before, and remembers it. Records without an offset always are: what they
// say stays true.
func (f *Filter) New(r Record) bool {
	if r.Kind != Event && r.Kind != Shipped {
		return true
	}
	if next, known := f.next[r.Partition]; known && r.Offset < next {
		return false
	}
	if f.next == nil {
		f.next = map[int]int64{}
	}
	f.next[r.Partition] = r.Offset + 1
	return true
}

// Encode writes what is remembered.
func (f *Filter) Encode(e *window.Encoder) {
	e.Len(len(f.next))
	for p, next := range f.next {
		e.Len(p)
		e.Int(next)
	}
}

// Decode reads what Encode wrote into an empty filter.
func (f *Filter) Decode(d *window.Decoder) {
	f.next = map[int]int64{}
	for range d.Len(2) {
		p := d.Uint()
		if p > maxPartition {
			d.Fail()
			return
		}
		f.next[int(p)] = d.Int() //nolint:gosec // bounded above
	}
}
