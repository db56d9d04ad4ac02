package engine

import (
	"slices"
	"strings"

	"imwatch/detector/window"
)

// encodeOverflow writes the keys past limits.keys: which of those with state are special, the promoted ones in order,
// and the sketch.
func (r *runner) encodeOverflow(enc *window.Encoder) {
	o := r.over
	enc.Bool(o != nil)
	if o == nil {
		return
	}
	enc.Len(len(o.special))
	for _, s := range o.inOrder(r.space) {
		enc.String(r.space.texts.get(s.state.key))
		enc.Bool(s.next != nil)
		enc.Bool(s.again)
		enc.Int(s.until)
	}
	enc.Bool(o.sketch != nil)
	if o.sketch != nil {
		o.sketch.Encode(enc)
	}
}

// inOrder gives the promoted keys as their turns come, then the others.
func (o *overflow) inOrder(space *keyspace) []*special {
	all := make([]*special, 0, len(o.special))
	for s := o.queue.next; s != &o.queue; s = s.next {
		all = append(all, s)
	}
	n := len(all)
	for _, s := range o.special {
		if s.next == nil {
			all = append(all, s)
		}
	}
	slices.SortFunc(all[n:], func(a, b *special) int {
		return strings.Compare(space.texts.get(a.state.key), space.texts.get(b.state.key))
	})
	return all
}

// decodeOverflow reads what encodeOverflow wrote; r is nil for a rule that is gone.
func (r *runner) decodeOverflow(d *window.Decoder) {
	if !d.Bool() {
		return
	}
	var o *overflow
	length := int64(1)
	if r != nil {
		o = newOverflow(r)
		r.over = o
		if r.kind.Sharing != nil {
			length = r.kind.Sharing.Length
		}
	}
	for range d.Len(4) {
		key, queued, again, until := d.String(), d.Bool(), d.Bool(), d.Int()
		if r == nil || d.Err() != nil {
			continue
		}
		n, known := r.space.find(key)
		if !known || int(n) >= len(r.states) || r.states[n] == nil || r.states[n].special {
			d.Fail()
			return
		}
		s := o.of(r.states[n])
		s.again, s.until = again, until
		if queued {
			o.enqueue(s)
		}
	}
	if !d.Bool() {
		return
	}
	sketch := window.DecodeSketch(d, length)
	if o != nil && o.sketch != nil {
		o.sketch = sketch
	}
}
