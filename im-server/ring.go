package imserver

// ring is what a session was sent and has not acknowledged, oldest first. The zero ring is empty and holds no memory.
// Not safe for concurrent use.
type ring struct {
	items []*delivery
	base  int64 // number of the message before the first
	bytes int
}

func (r *ring) push(d *delivery) {
	r.items = append(r.items, d)
	r.bytes += d.size()
}

// drop takes out everything up to a number and gives it; it is good until the ring is pushed to.
func (r *ring) drop(seq int64) []*delivery {
	n := min(max(0, seq-r.base), int64(len(r.items)))
	gone := r.items[:n:n]
	for _, d := range gone {
		r.bytes -= d.size()
	}
	r.base += n
	if r.items = r.items[n:]; len(r.items) == 0 {
		r.items = nil
	}
	return gone
}

// after gives what was sent after a number.
func (r *ring) after(seq int64) []*delivery {
	return r.items[min(max(0, seq-r.base), int64(len(r.items))):]
}
