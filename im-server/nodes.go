package imserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// question is what one node asks another.
type question struct {
	Kick    string `json:"kick,omitempty"`    // a connection to end
	Reason  string `json:"reason,omitempty"`  // with this close reason
	By      string `json:"by,omitempty"`      // who wants it, for the log
	Session string `json:"session,omitempty"` // a session to hand over
	Seq     int64  `json:"seq,omitempty"`     // that a client has up to this number
	Device  string `json:"device,omitempty"`  // of that client
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
func (s *Server) askHolder(ctx context.Context, rec *cluster.Session, a ask, device string) (given reply, reason string) {
	ctx, cancel := context.WithTimeout(ctx, s.conf().Timeouts.Ask)
	defer cancel()
	r, err := s.ask(ctx, rec.Node, question{Session: rec.ID, Seq: a.seq, Device: device})
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
	x.mu.Lock()
	doomed := x.doomed()
	x.mu.Unlock()
	rec := x.record()
	switch {
	case doomed:
		return reply{Reason: event.ResumeUnknownSession}
	case q.Seq > rec.Seq:
		return reply{Reason: event.ResumeSeqAhead}
	case q.Seq < rec.Acked:
		return reply{Reason: event.ResumeSeqTooOld}
	}
	if c := x.connection(); c != nil && otherDevice(c.client.device, q.Device) {
		return reply{Reason: event.ResumeStillAttached}
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
