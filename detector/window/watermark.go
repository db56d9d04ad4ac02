package window

import "slices"

// Watermark says up to which instant event time is complete, from the clocks of the nodes that write into each
// partition. Make it with NewWatermark.
//
// The watermark of a partition is the least clock of its nodes, less the lateness; that of the whole is the least of
// the partitions. Neither ever falls. Left out are nodes that would hold the others up: those more than idle behind
// the median node, and, where wall time is told by Tick, those not heard of for idle of it.
type Watermark struct {
	lateness, idle int64
	parts          []*partition // by number; nil: nothing of it is known
	now            int64
	changes        []Change
}

// Change says that a node was left out of the watermark, or counts again.
type Change struct {
	Partition int
	Node      string
	Out       bool
	Silent    bool  // left out because it was not heard of, not because its clock lies behind
	At        int64 // the median clock, or for a silent node the wall time
	Lag       int64 // how far the node lies behind At
}

// NewWatermark makes a watermark without partitions. Both spans are in nanoseconds and not negative.
func NewWatermark(lateness, idle int64) *Watermark {
	return &Watermark{lateness: lateness, idle: idle, now: None}
}

// Like makes a watermark with other spans that knows the same nodes.
func (w *Watermark) Like(lateness, idle int64) *Watermark {
	c := NewWatermark(lateness, idle)
	for p, part := range w.parts {
		if part == nil {
			continue
		}
		own := c.part(p)
		own.held, own.empty = part.held, part.empty
		for _, n := range part.order {
			copied := *n
			copied.silent, copied.out = false, false
			own.insert(&copied)
		}
		c.judge(own)
	}
	c.advance()
	return c
}

// Now gives the watermark of the whole, None while there is none.
func (w *Watermark) Now() int64 { return w.now }

// Idle gives the span after which a node is left out.
func (w *Watermark) Idle() int64 { return w.idle }

// Hold says that a partition is going to be read: until a node is heard of there, the whole stands still, or until
// Tick has found nothing in it for idle. To be found empty once says little: what another partition tells meanwhile may
// be younger than what comes here next.
func (w *Watermark) Hold(p int) { w.part(p).held = true }

// Release says that nothing more will come from a partition.
func (w *Watermark) Release(p int) {
	part := w.part(p)
	part.held, part.ended = false, true
	w.advance()
}

// Late says whether an event of a partition comes after the watermark has passed it.
func (w *Watermark) Late(p int, at int64) bool {
	return at < w.now || p < len(w.parts) && w.parts[p] != nil && at < w.parts[p].mark
}

// Event tells of an event of a node. wall is the wall time of its arrival, for Tick; 0 where there is none.
func (w *Watermark) Event(p int, name string, at, wall int64) {
	part := w.part(p)
	n := part.node(name)
	n.heard = wall
	if woken := part.wake(n); !woken && (n.shipped || at <= n.clock) {
		return
	}
	if !n.shipped {
		part.move(n, max(n.clock, at))
	}
	w.changed(part)
}

// Shipped tells that a node's shipper has delivered everything up to an instant. From then on only that moves the
// node's clock.
func (w *Watermark) Shipped(p int, name string, until, wall int64) {
	part := w.part(p)
	n := part.node(name)
	n.heard = wall
	part.wake(n)
	if n.shipped {
		until = max(until, n.clock)
	}
	n.shipped = true
	part.move(n, until)
	w.changed(part)
}

// Tick tells the wall time. behind says which partitions still have messages that were not read: no node there can be
// called silent. It must be called only where events are read as they happen, never on a file.
func (w *Watermark) Tick(wall int64, behind func(p int) bool) {
	still, heard := true, false
	for p, part := range w.parts {
		if part == nil || part.ended {
			continue
		}
		if behind(p) {
			still = false
			part.refresh(wall)
		} else {
			part.unread = false
			part.release(wall, w.idle)
			part.silence(wall, w.idle)
			part.forget(Add(wall, -max(10*w.idle, forgetAfter)))
		}
		heard = heard || len(part.order) > 0
		still = still && !part.held && part.silent == len(part.order)
		w.judge(part)
		part.silences(wall)
	}
	w.advance()
	if still && heard {
		w.now = max(w.now, Add(wall, -w.lateness))
	}
}

// Resume says that the wall time is now wall after a break in which nothing could be heard of: a restart.
func (w *Watermark) Resume(wall int64) {
	for _, part := range w.parts {
		if part != nil {
			part.refresh(wall)
		}
	}
}

// Changes gives which nodes were left out or count again since the call before, in order.
func (w *Watermark) Changes() []Change {
	c := w.changes
	w.changes = nil
	return c
}

func (w *Watermark) part(p int) *partition {
	if p >= len(w.parts) {
		w.parts = slices.Grow(w.parts, p+1-len(w.parts))[:p+1]
	}
	if w.parts[p] == nil {
		w.parts[p] = newPartition(p, &w.changes)
	}
	return w.parts[p]
}

func (w *Watermark) changed(part *partition) {
	wasHeld := part.held
	part.held = false
	if w.judge(part) || wasHeld {
		w.advance()
	}
}

// judge finds the least clock that counts in a partition and says whether its mark rose.
func (w *Watermark) judge(part *partition) bool {
	least := part.least(w.idle)
	if mark := Add(least, -w.lateness); least != Never && mark > part.mark {
		part.mark = mark
		return true
	}
	return false
}

// advance takes the least mark of the partitions that count.
func (w *Watermark) advance() {
	least := Never
	for _, part := range w.parts {
		switch {
		case part == nil || part.ended:
		case part.held:
			return
		case part.counts():
			least = min(least, part.mark)
		}
	}
	if least != Never {
		w.now = max(w.now, least)
	}
}
