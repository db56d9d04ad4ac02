package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

type nodeTable struct {
	mu      sync.Mutex
	nodes   map[nodeKey]*nodeState
	buried  map[nodeKey]Dead
	members []*Memory
}

type nodeKey struct{ node, boot string }

type nodeState struct {
	until   time.Time // of its lease
	claimed time.Time // until when a reaper has it
	open    map[string]Open
	taken   map[string]Open // by a reaper
}

// take is what a reaper gets.
func (st *nodeState) take(k nodeKey) Dead {
	if st.taken == nil {
		st.taken = map[string]Open{}
	}
	maps.Copy(st.taken, st.open)
	clear(st.open)
	return st.dead(k)
}

// dead is what a reaper has got.
func (st *nodeState) dead(k nodeKey) Dead {
	d := Dead{Node: k.node, Boot: k.boot, Until: st.until}
	for _, o := range st.taken {
		d.Open = append(d.Open, o)
	}
	SortOpen(d.Open)
	return d
}

func (m *Memory) key() nodeKey { return nodeKey{m.node, m.boot} }

func (n *nodeTable) add(m *Memory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members = append(n.members, m)
}

func (n *nodeTable) remove(m *Memory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members = without(n.members, m)
}

// state is called with the lock held.
func (n *nodeTable) state(k nodeKey) *nodeState {
	st := n.nodes[k]
	if st == nil {
		st = &nodeState{open: map[string]Open{}}
		n.nodes[k] = st
	}
	return st
}

func (n *nodeTable) alive(k nodeKey, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	st := n.nodes[k]
	return st == nil || st.until.IsZero() || st.until.After(now)
}

// Renew implements Nodes.
func (m *Memory) Renew(ctx context.Context, ttl time.Duration) (Lease, error) {
	if err := m.enter(ctx); err != nil {
		return Lease{}, err
	}
	l := Lease{Buried: m.space.nodes.lost(m.key())}
	if l.Buried != nil {
		m.forgetNode(m.key())
	}
	n := &m.space.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.buried, m.key())
	l.Until = m.space.now().Add(ttl)
	n.state(m.key()).until = l.Until
	return l, nil
}

// lost gives what a reaper has got, or had got, of this node; nil: none has.
func (n *nodeTable) lost(k nodeKey) *Dead {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, ok := n.buried[k]
	if st := n.nodes[k]; st != nil && !st.claimed.IsZero() {
		d, ok = st.dead(k), true
	}
	if !ok {
		return nil
	}
	return &d
}

// Succeed implements Nodes.
func (m *Memory) Succeed(ctx context.Context, node, boot string) (Dead, error) {
	if err := m.enter(ctx); err != nil {
		return Dead{}, err
	}
	k, now := nodeKey{node, boot}, m.space.now()
	n := &m.space.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	if d, ok := n.buried[k]; ok {
		return d, nil
	}
	st := n.nodes[k]
	if st == nil || st.until.IsZero() {
		return Dead{}, ErrUnknown
	}
	if st.until.After(now) {
		st.until = now
	}
	if !st.claimed.After(now) {
		st.claimed = now.Add(ClaimTime)
	}
	return st.take(k), nil
}

// Opened implements Nodes.
func (m *Memory) Opened(ctx context.Context, open []Open) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	n := &m.space.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	st := n.state(m.key())
	for _, o := range open {
		st.open[o.ID] = o
	}
	return nil
}

// Closed implements Nodes.
func (m *Memory) Closed(ctx context.Context, ids []string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	n := &m.space.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	st := n.state(m.key())
	for _, id := range ids {
		delete(st.open, id)
	}
	return nil
}

// Reap implements Nodes.
func (m *Memory) Reap(ctx context.Context) ([]Dead, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	now := m.space.now()
	n := &m.space.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state(m.key()).until.IsZero() {
		return nil, nil
	}
	var dead []Dead
	for k, st := range n.nodes {
		if k == m.key() || st.until.IsZero() || st.until.After(now) || st.claimed.After(now) {
			continue
		}
		st.claimed = now.Add(ClaimTime)
		dead = append(dead, st.take(k))
	}
	slices.SortFunc(dead, func(a, b Dead) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Boot, b.Boot)) })
	return dead, nil
}

// SortOpen puts the oldest first.
func SortOpen(list []Open) {
	slices.SortFunc(list, func(a, b Open) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
}

// Buried implements Nodes.
func (m *Memory) Buried(ctx context.Context, d Dead) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	k, now := nodeKey{d.Node, d.Boot}, m.space.now()
	n := &m.space.nodes
	n.mu.Lock()
	st := n.nodes[k]
	if st == nil || st.until.After(now) {
		n.mu.Unlock()
		return ErrUnknown
	}
	n.buried[k] = st.dead(k)
	n.mu.Unlock()
	m.forgetNode(k)
	return nil
}

// Retire implements Nodes.
func (m *Memory) Retire(ctx context.Context) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	m.forgetNode(m.key())
	return nil
}

// forgetNode takes a node's presence out before its lease, so that it is never there without one that ends.
func (m *Memory) forgetNode(k nodeKey) {
	for i := range m.space.users {
		m.space.users[i].bury(k)
	}
	n := &m.space.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.nodes, k)
}

// Call implements Nodes.
func (m *Memory) Call(ctx context.Context, node string, request []byte) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	n := &m.space.nodes
	n.mu.Lock()
	i := slices.IndexFunc(n.members, func(x *Memory) bool { return x.node == node })
	var to *Memory
	if i >= 0 {
		to = n.members[i]
	}
	n.mu.Unlock()
	if to == nil {
		return nil, fmt.Errorf("calling %s: %w", node, ErrNoReply)
	}
	reply, err := to.receiver.Ask(request)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", node, err)
	}
	return reply, nil
}
