package imserver

import (
	"sync"
	"time"

	"imwatch/im-server/cluster"
	"imwatch/im-server/eventlog"
)

// held is what the cluster is told of this node's connections, so that another node can write their ends should this one
// die. Of a connection that it knows, exactly one node writes the end, because it is told
//   - of a start after that is in the log: nobody ends what never began;
//   - of an end before that is in the log: nobody ends it again. Should this node die between the two, its next start
//     writes the end, by its ledger.
//
// Safe for concurrent use.
type held struct {
	wake chan struct{} // has a token while an end waits

	mu    sync.Mutex
	due   time.Time     // when the lease is to be renewed, by this node's own wall clock
	ran   time.Time     // when keepLease ran last
	still time.Time     // when it had stood still; zero: the lease was held since
	open  []*conn       // to be told of
	over  []string      // no longer
	told  chan struct{} // closed when all this was told, or could not be
}

func newHeld() *held { return &held{wake: make(chan struct{}, 1), told: make(chan struct{})} }

// holding is what the cluster knows of a connection.
type holding uint8

const (
	unheld  holding = iota
	isHeld          // the cluster knows it, or will at once
	wasHeld         // it has ended, or its end is being told
)

// began is told by the log of starts that are written.
func (h *held) began(r eventlog.Record) {
	c, ok := r.Owner.(*conn)
	if !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.held == unheld { // else it has ended already
		c.held = isHeld
		h.open = append(h.open, c)
	}
}

// again tells of a connection anew.
func (h *held) again(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.held == isHeld {
		h.open = append(h.open, c)
	}
}

// ending tells of an end. The channel is closed when that was done; nil: there is nothing to tell.
func (h *held) ending(c *conn) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := c.held
	c.held = wasHeld
	if was != isHeld {
		return nil
	}
	h.over = append(h.over, c.id)
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return h.told
}

// take gives what is to be told.
func (h *held) take() (open []cluster.Open, over []string, told chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.open {
		if c.held == isHeld {
			open = append(open, c.openRecord())
		}
	}
	over, told = h.over, h.told
	h.open, h.over, h.told = nil, nil, make(chan struct{})
	return open, over, told
}

// leased notes that the lease is held.
func (h *held) leased(due time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.due, h.still = due.Round(0), time.Time{} // the wall clock goes on while a machine sleeps
}

// overdue says whether the lease should have been renewed a while ago: it may have run out.
func (h *held) overdue(now time.Time, while time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.due.IsZero() && now.Round(0).After(h.due.Add(while/4))
}

// runs notes that keepLease does, and says whether it stood still for a gap since the lease was held last, and nobody can
// know what became of it. It does not say so for ever.
func (h *held) runs(now time.Time, gap, most time.Duration) (doubt bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now = now.Round(0)
	if !h.ran.IsZero() && now.Sub(h.ran) >= gap {
		h.still = now
	}
	h.ran = now
	return !h.still.IsZero() && now.Sub(h.still) < most
}

func (c *conn) openRecord() cluster.Open {
	r := c.record()
	return cluster.Open{ID: r.ID, At: r.At, Session: r.Session, User: r.User, Device: r.Device, IP: r.IP, Port: r.Port, Trace: r.Trace, Span: r.Span}
}

// began is where the log tells of starts.
func (s *Server) began(r eventlog.Record) {
	if s.shared {
		s.held.began(r)
	}
}
