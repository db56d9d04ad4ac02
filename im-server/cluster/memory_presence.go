package cluster

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

type userShard struct {
	mu    sync.Mutex
	users map[string]*user
}

// user is what is known of one: where it is, who wants to hear of it, and how far its devices have read.
type user struct {
	there    []there
	watchers []*Memory
	inbox    map[string]place // by device
	furthest place
	used     time.Time
}

type there struct {
	Device
	holder nodeKey
}

type place struct {
	epoch  string
	offset int64
}

// Enter implements Presence.
func (m *Memory) Enter(ctx context.Context, name string, d Device) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	d.Node = m.node
	sh := m.user(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.change(name, func(u *user) {
		u.remove(d.Connection)
		u.there = append(u.there, there{d, m.key()})
	})
	return nil
}

// Leave implements Presence.
func (m *Memory) Leave(ctx context.Context, name, connection string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	sh := m.user(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.change(name, func(u *user) { u.remove(connection) })
	return nil
}

// Devices implements Presence.
func (m *Memory) Devices(ctx context.Context, name string) ([]Device, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	sh := m.user(name)
	sh.mu.Lock()
	var list []there
	if u := sh.users[name]; u != nil {
		list = slices.Clone(u.there)
	}
	sh.mu.Unlock()
	now := m.space.now()
	out := make([]Device, 0, len(list))
	for _, t := range list {
		if m.space.nodes.alive(t.holder, now) {
			out = append(out, t.Device)
		}
	}
	SortDevices(out)
	return out, nil
}

// SortDevices puts the oldest first.
func SortDevices(list []Device) {
	slices.SortFunc(list, func(a, b Device) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Connection, b.Connection))
	})
}

// Watch implements Presence.
func (m *Memory) Watch(ctx context.Context, name string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	sh := m.user(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.change(name, func(u *user) {
		if !slices.Contains(u.watchers, m) {
			u.watchers = append(u.watchers, m)
		}
	})
	return nil
}

// Unwatch implements Presence.
func (m *Memory) Unwatch(name string) {
	sh := m.user(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.change(name, func(u *user) { u.watchers = without(u.watchers, m) })
}

// Inbox implements Sessions.
func (m *Memory) Inbox(ctx context.Context, name, device string) (string, int64, error) {
	if err := m.enter(ctx); err != nil {
		return "", 0, err
	}
	sh := m.user(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.users[name]
	if u == nil {
		return "", 0, nil
	}
	p, ok := u.inbox[device]
	if !ok {
		p = u.furthest
	}
	return p.epoch, p.offset, nil
}

// SetInbox implements Sessions.
func (m *Memory) SetInbox(ctx context.Context, name, device, epoch string, offset int64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	p := place{epoch, offset}
	sh := m.user(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.change(name, func(u *user) {
		if u.inbox == nil {
			u.inbox = map[string]place{}
		}
		u.inbox[device] = u.inbox[device].further(p)
		u.furthest = u.furthest.further(p)
		u.used = m.space.now()
	})
	return nil
}

func (p place) further(n place) place {
	if p.epoch == n.epoch && p.offset > n.offset {
		return p
	}
	return n
}

func (m *Memory) user(name string) *userShard { return &m.space.users[m.space.shard(name)] }

func (u *user) remove(connection string) {
	u.there = slices.DeleteFunc(u.there, func(t there) bool { return t.Connection == connection })
}

// change changes one user, tells those who watch it, and forgets it when there is nothing left to know.
func (sh *userShard) change(name string, f func(*user)) {
	u := sh.users[name]
	if u == nil {
		u = &user{}
		sh.users[name] = u
	}
	was := len(u.there) > 0
	f(u)
	if is := len(u.there) > 0; is != was {
		for _, w := range u.watchers {
			w.receiver.Seen(name, is)
		}
	}
	if len(u.there) == 0 {
		u.there = nil
	}
	if u.there == nil && u.watchers == nil && u.inbox == nil {
		delete(sh.users, name)
	}
}

func (sh *userShard) sweep(before time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, u := range sh.users {
		if u.inbox != nil && u.used.Before(before) {
			sh.change(name, func(u *user) { u.inbox, u.furthest = nil, place{} })
		}
	}
}

func (sh *userShard) forget(m *Memory) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, u := range sh.users {
		if slices.Contains(u.watchers, m) {
			sh.change(name, func(u *user) { u.watchers = without(u.watchers, m) })
		}
	}
}

// bury takes out all of a node.
func (sh *userShard) bury(k nodeKey) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	held := func(t there) bool { return t.holder == k }
	for name, u := range sh.users {
		if slices.ContainsFunc(u.there, held) {
			sh.change(name, func(u *user) { u.there = slices.DeleteFunc(u.there, held) })
		}
	}
}
