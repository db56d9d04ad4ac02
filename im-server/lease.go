package imserver

import (
	"context"
	"errors"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/eventlog"
)

// heldEvery is how late others know of a connection.
const heldEvery = 200 * time.Millisecond

// doubtLeases is for how many times that of a lease an end may wait.
const doubtLeases = 6

// leaseEvery is the time between two renewals: one may fail, and one after it.
func (s *Server) leaseEvery() time.Duration { return s.conf().Redis.Lease * 3 / 10 }

// keepLease tells the cluster that this node lives and what it holds, until ctx ends.
func (s *Server) keepLease(ctx context.Context) {
	lease, tell := time.NewTicker(s.leaseEvery()), time.NewTicker(heldEvery)
	defer lease.Stop()
	defer tell.Stop()
	s.renew(ctx)
	for {
		select {
		case <-tell.C:
			s.tellHeld(ctx)
		case <-s.held.wake:
			s.tellHeld(ctx)
		case <-lease.C:
			s.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// keepReaping writes the ends of nodes that died, until ctx ends.
func (s *Server) keepReaping(ctx context.Context) {
	tick := time.NewTicker(s.leaseEvery())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.reap(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// tellHeld tells of starts and ends. When the node stood still, or the lease could not be renewed when it was due, it first finds out whether others
// have ended connections of this node, while their own ends are not in the log yet. Where it cannot after it stood still,
// the ends wait. Otherwise Redis is lost to others as well, as a rule, and they are written.
func (s *Server) tellHeld(ctx context.Context) {
	gap, most := s.leaseEvery(), doubtLeases*s.conf().Redis.Lease
	if doubt := s.held.runs(s.now(), gap, most); doubt || s.held.overdue(s.now(), gap) {
		s.renew(ctx)
		if s.held.runs(s.now(), gap, most) {
			return
		}
	}
	open, over, told := s.held.take()
	defer close(told)
	if len(open) > 0 {
		s.report("telling the cluster of connections", s.cluster.Opened(ctx, open))
	}
	if len(over) > 0 {
		s.report("telling the cluster of connections", s.cluster.Closed(ctx, over))
	}
}

// awaitTold returns when the cluster knows of a connection's end, or cannot be told now.
func (s *Server) awaitTold(c *conn) {
	if !s.shared {
		return
	}
	told := s.held.ending(c)
	if told == nil {
		return
	}
	select {
	case <-told:
	case <-s.life.Done():
	}
}

func (s *Server) renew(ctx context.Context) {
	ttl := s.conf().Redis.Lease
	due := s.now().Add(s.leaseEvery())
	l, err := s.cluster.Renew(ctx, ttl)
	s.report("renewing the node's lease", err)
	if err != nil {
		return
	}
	s.held.leased(due)
	s.log.Lease(l.Until)
	if l.Buried != nil {
		s.comeBack(l.Buried)
	}
}

// comeBack ends the connections that others have ended in the log, and enters the others anew.
func (s *Server) comeBack(d *cluster.Dead) {
	lost := make(map[string]bool, len(d.Open))
	for i := range d.Open {
		lost[d.Open[i].ID] = true
	}
	ended := 0
	var others []*conn
	for _, c := range s.hub.all() {
		if !lost[c.id] {
			s.held.again(c)
			others = append(others, c)
			continue
		}
		ended++
		c.orphan(d.Until)
	}
	s.deps.Log.WithField("since", d.Until).WithField("connections", ended).
		Warn("other nodes took this one for dead; the connections that they ended in the log are ended")
	for _, x := range s.sessions.all() {
		s.sessions.touch(x) // saving them shows which have gone to another node
	}
	s.background(func(ctx context.Context) {
		for _, c := range others {
			if s.enter(ctx, c); s.hub.byID(c.id) != c { // it has left meanwhile
				s.report("leaving presence", s.cluster.Leave(ctx, c.client.user, c.id))
			}
		}
	})
}

// orphan ends a connection whose end another node has written, as of an instant. Its client is told nothing: the line says
// that there was no close frame. It comes back and resumes.
func (c *conn) orphan(at time.Time) {
	c.mu.Lock()
	c.orphaned = at.UnixNano()
	c.settle(event.CloseOrphaned, nil)
	c.ending.reason = event.CloseOrphaned // whatever it was ending for
	c.discard()
	c.mu.Unlock()
	c.cut()
}

// reap writes the ends that nodes could not write because they died.
func (s *Server) reap(ctx context.Context) {
	dead, err := s.cluster.Reap(ctx)
	s.report("looking for dead nodes", err)
	for _, d := range dead {
		if _, ours := s.before.Load(d.Boot); ours && d.Node == s.node {
			continue // its ends are written, by its ledger
		}
		for i := range d.Open {
			s.logOrphan(&d, &d.Open[i])
		}
		s.deps.Log.WithField("node", d.Node).WithField("connections", len(d.Open)).Warn("a node died; its connections were ended in the log")
		s.bury(ctx, d)
	}
}

// bury forgets a dead node, and says whether that is done.
func (s *Server) bury(ctx context.Context, d cluster.Dead) bool {
	err := s.cluster.Buried(ctx, d)
	if errors.Is(err, cluster.ErrUnknown) {
		return true
	}
	s.report("forgetting a dead node", err)
	return err == nil
}

// logOrphan writes the end of a connection of a node that died. Whoever writes it makes the same document.
func (s *Server) logOrphan(d *cluster.Dead, o *cluster.Open) {
	ev := s.log.Event()
	s.describeOrphan(ev, d.Node, d.Boot, d.Until, eventlog.Record{
		ID: o.ID, At: o.At, Session: o.Session, User: o.User, Device: o.Device, IP: o.IP, Port: o.Port, Trace: o.Trace, Span: o.Span,
	})
	s.emit(ev)
}

func (s *Server) describeOrphan(ev *event.Event, node, boot string, end time.Time, r eventlog.Record) {
	eventlog.DescribeOrphan(ev, node, boot, end, r)
	s.describe(ev, event.ActionOrphaned, ev.Time())
}

// recoverLog writes the ends that the start before owes: as of the end of its lease, which the cluster knows, so that it
// does not matter who writes them.
func (s *Server) recoverLog(ctx context.Context) error {
	var before *cluster.Dead
	err := s.log.Recover(ctx, func(ev *event.Event) { s.describe(ev, event.ActionOrphaned, ev.Time()) }, func(node, boot string) (time.Time, bool) {
		if !s.shared {
			return time.Time{}, false
		}
		ctx, cancel := context.WithTimeout(ctx, succeedTime)
		defer cancel()
		d, err := s.cluster.Succeed(ctx, node, boot)
		if err != nil {
			if !errors.Is(err, cluster.ErrUnknown) {
				s.deps.Log.WithError(err).Warn("the cluster does not say when the lease of the process before ended; the ledger does")
			}
			return time.Time{}, false
		}
		before = &d
		return d.Until, true
	})
	if err != nil {
		return err
	}
	for _, boot := range s.log.Owes() {
		if !s.shared { // nobody else is interested
			s.log.Paid(boot)
			continue
		}
		s.before.Store(boot, true)
		s.background(func(ctx context.Context) { s.succeed(ctx, boot) })
	}
	if before != nil {
		s.bury(ctx, *before) // its ends are written
	}
	return nil
}

// succeed takes an earlier start of this node out, whose ends are written, when the cluster can be reached.
func (s *Server) succeed(ctx context.Context, boot string) {
	for {
		switch d, err := s.cluster.Succeed(ctx, s.node, boot); {
		case err == nil && s.bury(ctx, d), errors.Is(err, cluster.ErrUnknown):
			s.log.Paid(boot)
			return
		}
		if !s.pause(ctx, mendRetry) {
			return
		}
	}
}

// succeedTime is how long a start waits for what the nodes share.
const succeedTime = 2 * time.Second
