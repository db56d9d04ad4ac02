package engine

import (
	"slices"
	"unique"

	"imwatch/detector/window"
)

// load is a rule of a snapshot and who takes over its state, nil if nobody does.
type load struct {
	run  *runner
	tops []int // places of the evidence's fields now, -1: no longer counted
}

func (e *Engine) decodeRules(d *window.Decoder) []load {
	var loads []load
	for range d.Len(4) {
		id, fingerprint, clock := d.String(), d.String(), d.Int()
		h := decodeHead(d, id)
		run := e.runner(id)
		if run == nil || run.fingerprint != fingerprint {
			run = nil
		}
		l := load{run, h.places(run)}
		loads = append(loads, l)
		if run == nil {
			e.decodeGone(d, &h, clock)
		} else {
			run.decode(d, l.tops, clock)
		}
		if d.Err() != nil {
			return nil
		}
	}
	return loads
}

// places maps the fields that the evidence counted to those that it counts now.
func (h *head) places(run *runner) []int {
	places := make([]int, len(h.tops))
	for i, name := range h.tops {
		places[i] = -1
		if run == nil {
			continue
		}
		for j, t := range run.rule.Evidence.Top {
			if t.Field.Name == name {
				places[i] = j
			}
		}
	}
	return places
}

func (e *Engine) runner(id string) *runner {
	for _, l := range e.lanes {
		for _, r := range l.runners {
			if r.rule.ID == id {
				return r
			}
		}
	}
	return nil
}

func (r *runner) decode(d *window.Decoder, tops []int, clock int64) {
	for range d.Len(4) {
		key := d.String()
		_, ok := splitKey(key, len(r.space.fields))
		if n, known := r.space.find(key); !ok || known && int(n) < len(r.states) && r.states[n] != nil {
			d.Fail()
			return
		}
		k := r.add(key)
		k.spell = decodeSpell(d)
		state := d.Within()
		k.condition.Decode(&state)
		k.evidence.Decode(&state, &r.engine.witnesses, tops)
		if state.Err() != nil || state.Rest() > 0 {
			d.Fail()
		}
		if d.Err() != nil {
			return
		}
		r.schedule(k)
		k.aged = true
		r.age(k, clock)
	}
	r.decodeOverflow(d)
}

// decodeGone reads the state of a rule that is gone, and resolves what it had told.
func (e *Engine) decodeGone(d *window.Decoder, h *head, clock int64) {
	for range d.Len(3) {
		key, sp := d.String(), decodeSpell(d)
		_ = d.String() // what its condition remembered
		if sp == nil || !sp.open() || d.Err() != nil {
			continue
		}
		a, ok := h.farewell(key, sp, max(clock, sp.start))
		if !ok {
			d.Fail()
			return
		}
		e.alerts = append(e.alerts, a)
	}
	(*runner)(nil).decodeOverflow(d)
}

// decodeLanes gives the clocks as one lane knew them, for lanes that were not there, and the lanes that were.
func (e *Engine) decodeLanes(d *window.Decoder, loads []load) (base *lane, restored map[*lane]bool) {
	restored = map[*lane]bool{}
	for range d.Len(5) {
		lateness, idle, clock, start := d.Int(), d.Int(), d.Int(), d.Int()
		mark := window.NewWatermark(lateness, idle)
		mark.Decode(d)
		i := slices.IndexFunc(e.lanes, func(l *lane) bool { return l.lateness == lateness && l.idle == idle })
		l := newLane(lateness, idle, mark)
		if i >= 0 {
			l = e.lanes[i]
			l.mark = mark
		}
		if l.clock, l.start = clock, start; base == nil {
			base = l
		}
		restored[l] = true
		for range d.Len(5) {
			l.decodeItem(d, &e.witnesses, loads)
		}
	}
	return base, restored
}

func (l *lane) encode(enc *window.Encoder, places map[*runner]int) {
	enc.Int(l.lateness)
	enc.Int(l.idle)
	enc.Int(l.clock)
	enc.Int(l.start)
	l.mark.Encode(enc)
	enc.Len(l.buffer.Len())
	l.buffer.Each(func(it *item) {
		it.event.Encode(enc)
		enc.String(it.text)
		enc.Float(it.weight)
		enc.Len(len(it.takes))
		for i := range it.takes {
			it.takes[i].encode(enc, it, places)
		}
	})
}

func (t *take) encode(enc *window.Encoder, it *item, places map[*runner]int) {
	enc.Len(places[t.run])
	encodeSight(enc, t.sight)
	k := &it.keys[t.keys]
	enc.String(k.first)
	enc.Len(len(k.more))
	for _, key := range k.more {
		enc.String(key)
	}
	enc.Len(len(t.tags))
	for _, tag := range t.tags {
		enc.Uint(uint64(tag.Field))
		enc.String(tag.Value.Value())
	}
}

func (l *lane) decodeItem(d *window.Decoder, witnesses *window.Witnesses, loads []load) {
	it := &item{event: witnesses.Decode(d), text: d.String(), weight: d.Float()}
	for range d.Len(4) {
		place := d.Uint()
		if place >= uint64(len(loads)) {
			d.Fail()
			return
		}
		t := decodeTake(d, &loads[place], it)
		if t.run != nil && t.run.lane != l {
			d.Fail()
			return
		}
		if t.run != nil {
			it.takes = append(it.takes, t)
		}
	}
	if len(it.takes) > 0 && d.Err() == nil {
		l.buffer.Push(it.event, it)
	}
}

func decodeTake(d *window.Decoder, from *load, it *item) take {
	t := take{run: from.run, sight: decodeSight(d)}
	k := keys{first: d.String()}
	for range d.Len(1) {
		k.more = append(k.more, d.String())
	}
	if from.run != nil && len(from.run.rule.Evidence.Top) > 0 {
		t.tags = []window.Tag{}
	}
	for range d.Len(2) {
		field, value := d.Uint(), d.String()
		if field >= uint64(len(from.tops)) {
			d.Fail()
			return t
		}
		if now := from.tops[field]; now >= 0 && t.tags != nil {
			t.tags = append(t.tags, window.Tag{Field: uint8(now), Value: unique.Make(value)}) //nolint:gosec // a rule has few fields
		}
	}
	if from.run != nil {
		for _, key := range append([]string{k.first}, k.more...) {
			if _, ok := splitKey(key, len(from.run.space.fields)); !ok {
				d.Fail()
			}
		}
		k.space = from.run.space
		t.keys = it.place(k)
	}
	return t
}

// place gives the place of keys that were read, where they stand for all rules that have them.
func (it *item) place(k keys) int {
	for i, other := range it.keys {
		if other.space == k.space && other.first == k.first && slices.Equal(other.more, k.more) {
			return i
		}
	}
	it.keys = append(it.keys, k)
	return len(it.keys) - 1
}

func (e *Engine) encodeSources(enc *window.Encoder) {
	enc.Len(len(e.sources))
	for name, s := range e.sources {
		enc.String(name)
		enc.Int(s.start)
		enc.Bool(s.told)
		enc.Bool(s.held)
		enc.Int(s.idle)
		encodeChange(enc, s.last)
		enc.Len(len(s.parts))
		for p := range s.parts {
			enc.Len(p)
		}
	}
}

func (e *Engine) decodeSources(d *window.Decoder) {
	for range d.Len(3) {
		s := &source{parts: map[int]bool{}}
		name := d.String()
		s.start, s.told, s.held, s.idle, s.last = d.Int(), d.Bool(), d.Bool(), d.Int(), decodeChange(d)
		s.last.Node = name
		for range d.Len(1) {
			s.parts[int(d.Uint())] = true //nolint:gosec // only compared
		}
		e.sources[name] = s
	}
}

func encodeChange(enc *window.Encoder, c window.Change) {
	enc.Bool(c.Out)
	enc.Bool(c.Silent)
	enc.Int(c.At)
	enc.Int(c.Lag)
}

func decodeChange(d *window.Decoder) window.Change {
	return window.Change{Out: d.Bool(), Silent: d.Bool(), At: d.Int(), Lag: d.Int()}
}

func encodeSight(enc *window.Encoder, s window.Sight) {
	enc.Uint(uint64(s.Bits))
	enc.Bool(s.Passive)
	enc.Bool(s.Follows)
	enc.Bool(s.Extra != nil)
	if s.Extra == nil {
		return
	}
	enc.Len(len(s.Extra.Numbers))
	for _, n := range s.Extra.Numbers {
		enc.Float(n)
	}
	enc.Len(len(s.Extra.Texts))
	for _, text := range s.Extra.Texts {
		enc.String(text)
	}
	enc.Len(len(s.Extra.Hashes))
	for _, h := range s.Extra.Hashes {
		enc.Fixed(h)
	}
}

func decodeSight(d *window.Decoder) window.Sight {
	s := window.Sight{Bits: uint32(d.Uint()), Passive: d.Bool(), Follows: d.Bool()} //nolint:gosec // it was encoded from as many bits
	if !d.Bool() {
		return s
	}
	s.Extra = &window.Extra{}
	for range d.Len(8) {
		s.Extra.Numbers = append(s.Extra.Numbers, d.Float())
	}
	for range d.Len(1) {
		s.Extra.Texts = append(s.Extra.Texts, d.String())
	}
	for range d.Len(8) {
		s.Extra.Hashes = append(s.Extra.Hashes, d.Fixed())
	}
	return s
}
