package cluster

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	shards     = 64
	sweepEvery = 30 * time.Second
)

// Memory is a cluster within one process: what it keeps ends with it. A server that stands alone has a Memory; several
// that share one, each with its own from Join, behave as nodes of a cluster do.
type Memory struct {
	node, boot string
	space      *space
	receiver   Receiver
	closed     atomic.Bool
}

// space is what the nodes of one process share.
type space struct {
	keep     Keep
	now      func() time.Time
	seed     maphash.Seed
	topics   [shards]topicShard
	users    [shards]userShard
	known    atomic.Int64 // messages known again by their id
	sessions sessionStore
	nodes    nodeTable
}

// NewMemory makes the first node of a cluster within this process. Bind it, then use it; Run sweeps out what is too old.
func NewMemory(o Options) *Memory {
	s := &space{keep: o.Keep, now: o.Now, seed: maphash.MakeSeed()}
	if s.now == nil {
		s.now = time.Now
	}
	for i := range s.topics {
		s.topics[i].topics = map[string]*topic{}
		s.topics[i].again.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
		s.users[i].users = map[string]*user{}
	}
	s.sessions.sessions = map[string]keptSession{}
	s.nodes.nodes, s.nodes.buried = map[nodeKey]*nodeState{}, map[nodeKey]Dead{}
	return s.join(o.Node, o.Boot)
}

// Join makes a further node of the same cluster.
func (m *Memory) Join(node, boot string) *Memory { return m.space.join(node, boot) }

func (s *space) join(node, boot string) *Memory {
	m := &Memory{node: node, boot: boot, space: s}
	s.nodes.add(m)
	return m
}

// Bind implements Cluster.
func (m *Memory) Bind(r Receiver) { m.receiver = r }

// Ready implements Cluster: it always is.
func (m *Memory) Ready() bool { return !m.closed.Load() }

// Run implements Cluster: it sweeps out what is too old. When it ends the node hears nothing any more, as if it had died:
// its presence stays until its lease runs out, unless it left and retired before.
func (m *Memory) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer m.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			m.Sweep(m.space.now())
		}
	}
}

// Sweep drops what is too old at now. Run calls it; what is too old is not seen before either.
func (m *Memory) Sweep(now time.Time) {
	for i := range m.space.topics {
		m.space.topics[i].sweep(m.space, now)
		m.space.users[i].sweep(now.Add(-m.space.keep.Positions))
	}
	m.space.sessions.sweep(now)
}

func (m *Memory) close() {
	m.closed.Store(true)
	m.space.nodes.remove(m)
	for i := range m.space.topics {
		m.space.topics[i].forget(m)
		m.space.users[i].forget(m)
	}
}

// enter is at the beginning of every method that may fail.
func (m *Memory) enter(ctx context.Context) error {
	if m.closed.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

func (s *space) shard(name string) uint64 { return maphash.String(s.seed, name) % shards }

// newEpoch makes a name that no other topic or session ever had.
func newEpoch() string { return rand.Text()[:16] }

// without takes one node out of a list of them; the old list stays as it is, since others may be reading it.
func without(list []*Memory, m *Memory) []*Memory {
	out := make([]*Memory, 0, len(list))
	for _, x := range list {
		if x != m {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

var _ Cluster = (*Memory)(nil)
