package window

func (c *stepChain) Encode(e *Encoder) {
	e.Len(len(c.starts) - c.head)
	last := int64(0)
	for _, at := range c.starts[c.head:] {
		e.Int(at - last)
		last = at
	}
	e.Len(len(c.runs))
	for _, n := range c.runs {
		e.Len(int(n))
	}
	for _, n := range c.counts {
		e.Uint(uint64(n))
	}
}

func (c *stepChain) Decode(d *Decoder) {
	last := int64(0)
	for i := range d.Len(1) {
		step := d.Int()
		if i > 0 && step < 0 {
			d.Fail()
			return
		}
		last += step
		c.starts = append(c.starts, last)
	}
	k, total := len(c.spec.steps), uint64(0)
	for range d.Len(1 + k) {
		n := d.Uint()
		if n == 0 || n > uint64(len(c.starts))-total {
			d.Fail()
			return
		}
		total += n
		c.runs = append(c.runs, int32(n)) //nolint:gosec // of as many starts at most
	}
	if total != uint64(len(c.starts)) {
		d.Fail()
		return
	}
	for range c.runs {
		c.decodeCounts(d)
	}
}

func (c *stepChain) decodeCounts(d *Decoder) {
	from := len(c.counts)
	for i, step := range c.spec.steps {
		n := d.Uint()
		if most := uint64(step.times); n > most || n == most && i == len(c.spec.steps)-1 && !c.spec.trails {
			d.Fail()
			return
		}
		c.counts = append(c.counts, uint16(n)) //nolint:gosec // bounded above
	}
	if dead(c.counts[from:]) {
		d.Fail()
	}
}
