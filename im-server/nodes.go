package imserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/eventlog"
)

// question is what one node asks another.
type question struct {
	Kick    string `json:"kick,omitempty"`    // a connection to end
	Reason  string `json:"reason,omitempty"`  // with this close reason
	By      string `json:"by,omitempty"`      // who wants it, for the log
	Session string `json:"session,omitempty"` // a session to hand over
	Seq     int64  `json:"seq,omitempty"`     // that a client has up to this number
}

// reply answers it.
type reply struct {
	Done    bool             `json:"done,omitempty"`
	Session *cluster.Session `json:"session,omitempty"`
	Gaps    map[string]int64 `json:"gaps,omitempty"`   // by topic: what its client is still to be told of
	Reason  string           `json:"reason,omitempty"` // why a session is not handed over
}

func (s *Server) answer(request []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, fmt.Errorf("reading another node's question: %w", err)
	}
	var r reply
	switch {
	case q.Session != "":
		r = s.handOver(q)
	case q.Kick != "":
		if reason, ok := event.CloseReasonByName(q.Reason); ok {
			r.Done = s.endConnection(q.Kick, reason, q.By)
		}
	}
	return json.Marshal(r)
}

func (s *Server) ask(ctx context.Context, node string, q question) (reply, error) {
	b, err := json.Marshal(q)
	if err != nil {
		return reply{}, fmt.Errorf("asking node %s: %w", node, err)
	}
	if b, err = s.cluster.Call(ctx, node, b); err != nil {
		return reply{}, fmt.Errorf("asking node %s: %w", node, err)
	}
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		return reply{}, fmt.Errorf("reading the answer of node %s: %w", node, err)
	}
	return r, nil
}

// askHolder asks the node that holds a session for it. No session: that node is gone, or does not know it any more, and
// the record is all there is.
func (s *Server) askHolder(ctx context.Context, rec *cluster.Session, a ask) (given reply, reason string) {
	ctx, cancel := context.WithTimeout(ctx, s.conf().Timeouts.Ask)
	defer cancel()
	r, err := s.ask(ctx, rec.Node, question{Session: rec.ID, Seq: a.seq})
	switch {
	case err == nil && r.Reason != "":
		return reply{}, r.Reason
	case err == nil:
		return r, ""
	case errors.Is(err, cluster.ErrNoReply), errors.Is(err, context.DeadlineExceeded):
		return reply{}, ""
	}
	s.report("asking another node", err)
	return reply{}, event.ResumeStoreUnavailable
}

// handOver gives a session to another node, and ends its connection here.
func (s *Server) handOver(q question) reply {
	x := s.sessions.get(q.Session)
	if x == nil {
		return reply{}
	}
	rec := x.record()
	switch {
	case q.Seq > rec.Seq:
		return reply{Reason: event.ResumeSeqAhead}
	case q.Seq < rec.Acked:
		return reply{Reason: event.ResumeSeqTooOld}
	}
	x.positions(rec, q.Seq)
	x.mu.Lock()
	old := x.c
	var gaps map[string]int64
	for _, g := range x.gaps {
		if gaps == nil {
			gaps = map[string]int64{}
		}
		gaps[g.topic] = g.missed
	}
	x.mu.Unlock()
	x.end(true)
	s.sessions.remove(x)
	x.saving.Lock()   // a record that is being written is there before the other node's
	x.saving.Unlock() //nolint:staticcheck // there is nothing to do meanwhile
	if old != nil {
		s.replaced(old)
	}
	return reply{Session: rec, Gaps: gaps}
}

// kickConnection ends a connection wherever it is. by is who wants it, for the log; "" if nobody does.
func (s *Server) kickConnection(ctx context.Context, d cluster.Device, reason event.CloseReason, by string) bool {
	if d.Node == s.node {
		return s.endConnection(d.Connection, reason, by)
	}
	ctx, cancel := context.WithTimeout(ctx, s.conf().Timeouts.Ask)
	defer cancel()
	r, err := s.ask(ctx, d.Node, question{Kick: d.Connection, Reason: reason.Reason, By: by})
	s.report("asking another node", err)
	return r.Done
}

// endConnection ends a connection of this node, and says in the log that somebody did.
func (s *Server) endConnection(id string, reason event.CloseReason, by string) bool {
	c := s.hub.byID(id)
	return c != nil && s.endFor(c, reason, by)
}

func (s *Server) endFor(c *conn, reason event.CloseReason, by string) bool {
	if !c.end(reason, 0, nil) {
		return false
	}
	action := event.ActionSessionKicked
	if reason.Reason == event.CloseSessionReplaced.Reason {
		action = event.ActionSessionReplaced
	}
	ev := c.event(action)
	if by != "" {
		ev.SetLabel("actor", clipText(by, maxErrorText))
	}
	s.emit(ev)
	return true
}

// held is what the cluster is still to be told of this node's connections. Safe for concurrent use.
type held struct {
	mu   sync.Mutex
	open []cluster.Open
	over []string
}

func (h *held) opened(c *conn) {
	r := c.record()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = append(h.open, cluster.Open{
		ID: r.ID, At: r.At, Session: r.Session, User: r.User, Device: r.Device, IP: r.IP, Port: r.Port, Trace: r.Trace, Span: r.Span,
	})
}

func (h *held) closed(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = append(h.over, id)
}

func (h *held) take() (open []cluster.Open, over []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	open, over = h.open, h.over
	h.open, h.over = nil, nil
	return open, over
}

const (
	leaseTTL   = 10 * time.Second // a node that is not heard of for so long is dead
	leaseEvery = 3 * time.Second
	heldEvery  = 200 * time.Millisecond
)

// keepLease tells the cluster that this node lives and what it holds, and writes the ends of nodes that died, until ctx
// ends.
func (s *Server) keepLease(ctx context.Context) {
	lease, tell := time.NewTicker(leaseEvery), time.NewTicker(heldEvery)
	defer lease.Stop()
	defer tell.Stop()
	s.renew(ctx)
	for {
		select {
		case <-tell.C:
			s.tellHeld(ctx)
		case <-lease.C:
			s.renew(ctx)
			s.reap(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) tellHeld(ctx context.Context) {
	open, over := s.held.take()
	if len(open) > 0 {
		s.report("telling the cluster of connections", s.cluster.Opened(ctx, open))
	}
	if len(over) > 0 {
		s.report("telling the cluster of connections", s.cluster.Closed(ctx, over))
	}
}

func (s *Server) renew(ctx context.Context) {
	err := s.cluster.Renew(ctx, leaseTTL)
	if errors.Is(err, cluster.ErrBuried) {
		for _, c := range s.hub.all() { // others have written its end, and taken it out
			s.enter(ctx, c)
		}
		err = nil
	}
	s.report("renewing the node's lease", err)
}

// reap writes the ends that nodes could not write because they died.
func (s *Server) reap(ctx context.Context) {
	dead, err := s.cluster.Reap(ctx)
	s.report("looking for dead nodes", err)
	for _, d := range dead {
		for i := range d.Open {
			s.logOrphan(&d, &d.Open[i])
		}
		s.deps.Log.WithField("node", d.Node).WithField("connections", len(d.Open)).Warn("a node died; its connections were ended in the log")
		if err := s.cluster.Buried(ctx, d); err != nil && !errors.Is(err, cluster.ErrUnknown) {
			s.report("forgetting a dead node", err)
		}
	}
}

// logOrphan writes the end of a connection of a node that died. Whoever writes it makes the same document.
func (s *Server) logOrphan(d *cluster.Dead, o *cluster.Open) {
	ev := s.log.Event()
	eventlog.DescribeOrphan(ev, d.Node, d.Boot, d.Until, eventlog.Record{
		ID: o.ID, At: o.At, Session: o.Session, User: o.User, Device: o.Device, IP: o.IP, Port: o.Port, Trace: o.Trace, Span: o.Span,
	})
	s.describe(ev, event.ActionOrphaned, ev.Time())
	s.emit(ev)
}

// logDependency says that what the nodes share was lost, or is back.
func (s *Server) logDependency(up bool, state string, err error) {
	action := event.ActionDependencyDown
	if up {
		action = event.ActionDependencyUp
	}
	ev := s.nodeEvent(action)
	ev.SetText(event.FieldServiceTargetName, s.deps.ClusterName)
	ev.SetText(event.FieldServiceTargetType, s.deps.ClusterName)
	ev.SetText(event.FieldEventReason, state)
	if err != nil {
		ev.SetText(event.FieldErrorMessage, clipText(err.Error(), maxErrorText))
	}
	s.emit(ev)
}
