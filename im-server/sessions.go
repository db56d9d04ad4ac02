package imserver

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"imwatch/im-server/cluster"
)

// sessions knows the sessions of this node. Safe for concurrent use.
type sessions struct {
	mu    sync.Mutex
	byID  map[string]*session
	lost  []lostSession         // in the order in which they lost their connections
	dirty map[*session]struct{} // whose inbox has moved
}

type lostSession struct {
	x  *session
	at time.Time
}

func newSessions() *sessions {
	return &sessions{byID: map[string]*session{}, dirty: map[*session]struct{}{}}
}

func (l *sessions) add(x *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byID[x.id] = x
}

// addFirst is add, unless there is one of the same id, which it gives.
func (l *sessions) addFirst(x *session) (other *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other = l.byID[x.id]; other == nil {
		l.byID[x.id] = x
	}
	return other
}

func (l *sessions) get(id string) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[id]
}

func (l *sessions) remove(x *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, x.id)
}

func (l *sessions) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byID)
}

func (l *sessions) all() []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.byID))
}

// touch notes that there is something to save of a session.
func (l *sessions) touch(x *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty[x] = struct{}{}
}

func (l *sessions) touched() []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Collect(maps.Keys(l.dirty))
	clear(l.dirty)
	return list
}

func (l *sessions) lostAt(x *session, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, lostSession{x, at})
}

// over takes out the sessions that lost their connection before an instant; some have one again.
func (l *sessions) over(before time.Time) []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*session
	n := 0
	for ; n < len(l.lost) && l.lost[n].at.Before(before); n++ {
		list = append(list, l.lost[n].x)
	}
	l.lost = slices.Delete(l.lost, 0, n)
	return list
}

// endSession ends a session for good, unless it has a connection again.
func (s *Server) endSession(x *session, force bool) {
	if !x.end(force) {
		return
	}
	s.sessions.remove(x)
	s.sessions.touch(x) // its inbox, for the last time
	if s.shared {
		s.background(func(ctx context.Context) {
			s.report("forgetting a session", s.cluster.DropSession(ctx, x.id))
		})
	}
}

// keepSessions saves what has moved and ends what is over, until ctx ends.
func (s *Server) keepSessions(ctx context.Context) {
	tick := time.NewTicker(sessionsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.saveSessions(ctx)
			now := s.now()
			for _, x := range s.sessions.over(now.Add(-s.conf().Sessions.Resume)) {
				if x.lostBefore(now.Add(-s.conf().Sessions.Resume)) {
					s.endSession(x, false)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// sessionsEvery is how late a saved position may be.
const sessionsEvery = 500 * time.Millisecond

func (x *session) lostBefore(t time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.c == nil && x.lost.Before(t)
}

// savers is how many sessions are saved at a time where saving means to wait.
const savers = 16

// saveSessions saves what has moved. What cannot be saved is tried again the next time.
func (s *Server) saveSessions(ctx context.Context) {
	list := s.sessions.touched()
	var (
		work   sync.WaitGroup
		next   atomic.Int64
		mu     sync.Mutex
		failed error
	)
	save := func() {
		for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
			mu.Lock()
			err := failed
			mu.Unlock()
			if err == nil {
				err = s.saveSession(ctx, list[i])
			}
			if err != nil {
				s.sessions.touch(list[i])
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		}
	}
	if s.shared {
		for range min(savers, len(list)) - 1 {
			work.Go(save)
		}
	}
	save()
	work.Wait()
	s.report("saving sessions", failed)
}

// saveNow lets other nodes know a session from its first moment. Where that fails it is tried again with the others.
func (s *Server) saveNow(ctx context.Context, x *session) {
	if !s.shared {
		return
	}
	if err := s.saveSession(ctx, x); err != nil {
		s.report("saving sessions", err)
		s.sessions.touch(x)
	}
}

func (s *Server) saveSession(ctx context.Context, x *session) error {
	x.mu.Lock()
	in, ended := x.inbox, x.ended
	x.mu.Unlock()
	if in.offset > 0 {
		if err := s.cluster.SetInbox(ctx, x.user, x.device, in.epoch, in.offset); err != nil {
			return err
		}
	}
	if !s.shared || ended {
		return nil
	}
	if err := s.writeRecord(ctx, x); !errors.Is(err, cluster.ErrTaken) {
		return err
	}
	s.takenAway(x)
	return nil
}

// takenAway ends a session here that another node has taken without asking: this one did not answer it.
func (s *Server) takenAway(x *session) {
	old := x.connection()
	if !x.end(true) {
		return
	}
	s.sessions.remove(x)
	if old != nil {
		s.replaced(old)
	}
}

// writeRecord saves what another node must know, unless the session is no longer this node's.
func (s *Server) writeRecord(ctx context.Context, x *session) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	if x.isEnded() {
		return nil
	}
	if !x.taking {
		return s.cluster.SaveSession(ctx, x.record(), sessionTTL)
	}
	err := s.cluster.TakeSession(ctx, x.record(), sessionTTL)
	x.taking = err != nil
	return err
}

func (x *session) isEnded() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ended
}
