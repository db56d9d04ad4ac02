package cluster

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

type sessionStore struct {
	mu       sync.RWMutex
	sessions map[string]keptSession
}

type keptSession struct {
	session *Session
	until   time.Time
}

// Copy gives a session that shares nothing with s.
func (s *Session) Copy() *Session {
	c := *s
	c.Positions, c.Epochs, c.Rooms = maps.Clone(s.Positions), maps.Clone(s.Epochs), slices.Clone(s.Rooms)
	return &c
}

// TakeSession implements Sessions.
func (m *Memory) TakeSession(ctx context.Context, s *Session, keep time.Duration) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	kept := keptSession{s.Copy(), m.space.now().Add(keep)}
	st := &m.space.sessions
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sessions[s.ID] = kept
	return nil
}

// SaveSession implements Sessions.
func (m *Memory) SaveSession(ctx context.Context, s *Session, keep time.Duration) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	now := m.space.now()
	kept := keptSession{s.Copy(), now.Add(keep)}
	st := &m.space.sessions
	st.mu.Lock()
	defer st.mu.Unlock()
	if old, ok := st.sessions[s.ID]; ok && old.until.After(now) && !old.session.heldBy(s.Node, s.Boot) {
		return ErrTaken
	}
	st.sessions[s.ID] = kept
	return nil
}

func (s *Session) heldBy(node, boot string) bool { return s.Node == node && s.Boot == boot }

// LoadSession implements Sessions.
func (m *Memory) LoadSession(ctx context.Context, id string) (*Session, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	now := m.space.now()
	st := &m.space.sessions
	st.mu.RLock()
	defer st.mu.RUnlock()
	kept, ok := st.sessions[id]
	if !ok || !kept.until.After(now) {
		return nil, ErrUnknown
	}
	return kept.session.Copy(), nil
}

// DropSession implements Sessions.
func (m *Memory) DropSession(ctx context.Context, id string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	st := &m.space.sessions
	st.mu.Lock()
	defer st.mu.Unlock()
	if old, ok := st.sessions[id]; ok && old.session.heldBy(m.node, m.boot) {
		delete(st.sessions, id)
	}
	return nil
}

func (st *sessionStore) sweep(now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	maps.DeleteFunc(st.sessions, func(_ string, k keptSession) bool { return !k.until.After(now) })
}
