package shipper

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"imwatch/shipper/tail"
)

// ledger is what the broker has acknowledged. Safe for concurrent use: the sender writes it, metrics and the reader
// look at it.
type ledger struct {
	mu    sync.Mutex // guards the fields below
	files map[tail.ID]tail.State
	nodes map[string]nodeState
	entry uint64 // of the queue, up to which this is
	saved time.Time
	dirty bool
}

func newLedger(c checkpoint, now time.Time) *ledger {
	l := &ledger{files: map[tail.ID]tail.State{}, nodes: map[string]nodeState{}, entry: c.Entry, saved: now}
	for _, s := range c.Files {
		l.files[s.ID()] = s
	}
	for _, n := range c.Nodes {
		l.nodes[n.Name] = n
	}
	return l
}

// acknowledge takes in what was moved up to an entry of the queue.
func (l *ledger) acknowledge(c *change, entry uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.files, c.marks)
	for _, id := range c.forgotten {
		delete(l.files, id)
	}
	for _, n := range slices.Concat(c.nodes, c.watermarks) {
		l.nodes[n.Name] = n
	}
	for _, name := range c.gone {
		delete(l.nodes, name)
	}
	l.dirty = l.dirty || !c.still() || entry > l.entry
	l.entry = max(l.entry, entry)
}

// offset gives the acknowledged offset of a generation.
func (l *ledger) offset(id tail.ID) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files[id].Offset
}

// due gives a checkpoint when there is something to save and the last one is at least as old as interval.
func (l *ledger) due(now time.Time, interval time.Duration) (checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty || now.Sub(l.saved) < interval {
		return checkpoint{}, false
	}
	return l.checkpoint(now), true
}

// checkpoint gives the whole. The lock is held.
func (l *ledger) checkpoint(now time.Time) checkpoint {
	c := checkpoint{Written: now.UTC(), Entry: l.entry}
	for _, s := range l.files {
		c.Files = append(c.Files, s)
	}
	for _, n := range l.nodes {
		c.Nodes = append(c.Nodes, n)
	}
	slices.SortFunc(c.Files, func(a, b tail.State) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Head, b.Head), cmp.Compare(a.Run, b.Run))
	})
	slices.SortFunc(c.Nodes, func(a, b nodeState) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// save notes that a checkpoint was written.
func (l *ledger) save(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saved, l.dirty = now, false
}

// age is how old the last checkpoint is; 0 while nothing has changed since.
func (l *ledger) age(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty {
		return 0
	}
	return now.Sub(l.saved)
}

// lag is how far the node that is farthest behind is behind the clock.
func (l *ledger) lag(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lag time.Duration
	for _, n := range l.nodes {
		if !n.Until.IsZero() {
			lag = max(lag, now.Sub(n.Until))
		}
	}
	return lag
}
