package cluster

import (
	"context"
	"slices"
	"sync"
	"time"
)

// memoryPeople is what a Memory knows of sessions, inboxes and presence.
type memoryPeople struct {
	mu       sync.Mutex
	sessions map[string]keptSession
	inboxes  map[string]map[string]inbox // by user and device
	there    map[string][]Device         // by user
	watched  map[string]bool
}

type keptSession struct {
	Session
	until time.Time
}

type inbox struct {
	epoch  string
	offset int64
	at     time.Time
}

func (p *memoryPeople) init() {
	p.sessions, p.inboxes = map[string]keptSession{}, map[string]map[string]inbox{}
	p.there, p.watched = map[string][]Device{}, map[string]bool{}
}

// sweep forgets sessions that are over, and devices not seen for age.
func (p *memoryPeople) sweep(now time.Time, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range p.sessions {
		if now.After(s.until) {
			delete(p.sessions, id)
		}
	}
	for user, devices := range p.inboxes {
		for device, in := range devices {
			if now.Sub(in.at) > age {
				delete(devices, device)
			}
		}
		if len(devices) == 0 {
			delete(p.inboxes, user)
		}
	}
}

// SaveSession keeps a session.
func (m *Memory) SaveSession(_ context.Context, s *Session, keep time.Duration) error {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	m.people.sessions[s.ID] = keptSession{*s, m.now().Add(keep)}
	return nil
}

// LoadSession gives a kept session.
func (m *Memory) LoadSession(_ context.Context, id string) (*Session, error) {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	s, ok := m.people.sessions[id]
	if !ok || m.now().After(s.until) {
		return nil, ErrUnknown
	}
	return &s.Session, nil
}

// DropSession forgets a session.
func (m *Memory) DropSession(_ context.Context, id string) error {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	delete(m.people.sessions, id)
	return nil
}

// Inbox gives how far a device has acknowledged its user's messages.
func (m *Memory) Inbox(_ context.Context, user, device string) (string, int64, error) {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	devices := m.people.inboxes[user]
	in, ok := devices[device]
	if !ok {
		for _, other := range devices {
			if other.at.After(in.at) && other.epoch != in.epoch || other.epoch == in.epoch && other.offset > in.offset {
				in = other
			}
		}
	}
	return in.epoch, in.offset, nil
}

// SetInbox notes how far a device has acknowledged.
func (m *Memory) SetInbox(_ context.Context, user, device, epoch string, offset int64) error {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	devices := m.people.inboxes[user]
	if devices == nil {
		devices = map[string]inbox{}
		m.people.inboxes[user] = devices
	}
	if in, ok := devices[device]; ok && in.epoch == epoch {
		offset = max(offset, in.offset)
	}
	devices[device] = inbox{epoch, offset, m.now()}
	return nil
}

// Enter notes a connection.
func (m *Memory) Enter(_ context.Context, user string, d Device) error {
	p := &m.people
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there[user] = append(p.there[user], d)
	if len(p.there[user]) == 1 && p.watched[user] {
		m.to.Seen(user, true)
	}
	return nil
}

// Leave notes the end of a connection.
func (m *Memory) Leave(_ context.Context, user, connection string) error {
	p := &m.people
	p.mu.Lock()
	defer p.mu.Unlock()
	had := len(p.there[user])
	rest := slices.DeleteFunc(p.there[user], func(d Device) bool { return d.Connection == connection })
	if len(rest) > 0 {
		p.there[user] = rest
		return nil
	}
	delete(p.there, user)
	if had > 0 && p.watched[user] {
		m.to.Seen(user, false)
	}
	return nil
}

// Devices gives the connections of a user.
func (m *Memory) Devices(_ context.Context, user string) ([]Device, error) {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	return slices.Clone(m.people.there[user]), nil
}

// Watch tells the Receiver when a user comes and goes.
func (m *Memory) Watch(_ context.Context, user string) error {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	m.people.watched[user] = true
	return nil
}

// Unwatch ends it.
func (m *Memory) Unwatch(user string) {
	m.people.mu.Lock()
	defer m.people.mu.Unlock()
	delete(m.people.watched, user)
}

// Renew does nothing: there is nobody who would ask.
func (m *Memory) Renew(context.Context, time.Duration) error { return nil }

// Opened does nothing.
func (m *Memory) Opened(context.Context, []Open) error { return nil }

// Closed does nothing.
func (m *Memory) Closed(context.Context, []string) error { return nil }

// Reap gives nobody.
func (m *Memory) Reap(context.Context) ([]Dead, error) { return nil, nil }

// Buried does nothing.
func (m *Memory) Buried(context.Context, Dead) error { return nil }

// Call gives ErrNoReply: there is no other node.
func (m *Memory) Call(context.Context, string, []byte) ([]byte, error) { return nil, ErrNoReply }

// Retire does nothing.
func (m *Memory) Retire(context.Context) error { return nil }
