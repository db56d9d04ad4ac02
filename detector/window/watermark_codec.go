package window

// Encode writes the clocks and marks.
func (w *Watermark) Encode(e *Encoder) {
	e.Int(w.now)
	known := 0
	for _, part := range w.parts {
		if part != nil {
			known++
		}
	}
	e.Len(known)
	for p, part := range w.parts {
		if part == nil {
			continue
		}
		e.Len(p)
		e.Int(part.mark)
		e.Bool(part.held)
		e.Bool(part.unread)
		e.Int(part.empty)
		e.Bool(part.ended)
		e.Len(len(part.order))
		for _, n := range part.order {
			e.String(n.name)
			e.Int(n.clock)
			e.Int(n.heard)
			e.Bool(n.shipped)
			e.Bool(n.silent)
			e.Bool(n.out)
		}
	}
}

// maxPartitions bounds what a corrupt state can make us allocate; Kafka's own clusters stop far below.
const maxPartitions = 1 << 20

// Decode reads clocks and marks that Encode wrote into a watermark without partitions.
func (w *Watermark) Decode(d *Decoder) {
	w.now = d.Int()
	for range d.Len(6) {
		number := d.Uint()
		if number > maxPartitions {
			d.Fail()
			return
		}
		part := w.part(int(number))
		part.mark, part.held, part.unread, part.empty, part.ended = d.Int(), d.Bool(), d.Bool(), d.Int(), d.Bool()
		for range d.Len(6) {
			part.read(d)
		}
	}
}

func (p *partition) read(d *Decoder) {
	n := &node{name: d.String(), clock: d.Int(), heard: d.Int(), shipped: d.Bool(), silent: d.Bool(), out: d.Bool()}
	if _, twice := p.nodes[n.name]; twice {
		d.Fail()
		return
	}
	if n.silent {
		p.silent++
	} else if n.out {
		p.lagging++
	}
	p.insert(n)
}
