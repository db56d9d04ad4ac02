package index

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/event"
	"imwatch/internal/bus"
)

const (
	maxSinging  = 1000           // nodes whose canaries are followed: in containers they get new names all the time
	maxWaiting  = 10_000         // canaries that wait for what stands before them
	maxNamed    = 100            // nodes that the metric names; the rest are other
	silentAfter = 24 * time.Hour // a node without a canary for so long is forgotten
)

// canaries follows those records that shippers send behind the lines that they read: with the canary everything is stored
// that stood before it. The zero value is ready. Safe for concurrent use.
type canaries struct {
	mu      sync.Mutex
	waiting []song // read, and not committed
	nodes   map[string]*singer
	seen    int // nodes so far
}

// song is a canary that was read.
type song struct {
	place
	offset int64
	node   string
	at     time.Time
	every  time.Duration
}

// singer is a node, by its newest canary before which everything is stored.
type singer struct {
	at    time.Time
	every time.Duration
	took  time.Duration
	order int
}

// sing takes in a canary that was read.
func (c *canaries) sing(m bus.Message, e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxWaiting {
		c.waiting = slices.Delete(c.waiting, 0, len(c.waiting)/2)
	}
	c.waiting = append(c.waiting, song{place{m.Topic, m.Partition}, m.Offset, strings.Clone(e.Node()), e.Time(), time.Duration(e.Int(event.FieldEventDuration))})
}

// stored takes in up to where everything is stored.
func (c *canaries) stored(upTo []bus.Message, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return
	}
	c.waiting = slices.DeleteFunc(c.waiting, func(s song) bool {
		for i := range upTo {
			if upTo[i].Topic == s.topic && upTo[i].Partition == s.partition && upTo[i].Offset >= s.offset {
				c.heard(s, now)
				return true
			}
		}
		return false
	})
}

// heard takes in a canary with all before it. Of the copies in several partitions the slowest counts.
func (c *canaries) heard(s song, now time.Time) {
	took, n := max(0, now.Sub(s.at)), c.nodes[s.node]
	switch {
	case s.every <= 0: // it sends no more
		delete(c.nodes, s.node)
	case n == nil && len(c.nodes) >= maxSinging:
	case n == nil:
		if c.nodes == nil {
			c.nodes = map[string]*singer{}
		}
		c.seen++
		c.nodes[s.node] = &singer{at: s.at, every: s.every, took: took, order: c.seen}
	case s.at.After(n.at):
		n.at, n.every, n.took = s.at, s.every, took
	case s.at.Equal(n.at):
		n.took = max(n.took, took)
	}
}

// forget is for who has no partitions any more: others hear the canaries.
func (c *canaries) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.nodes = nil, nil
}

// heardOf is what is known of a node.
type heardOf struct {
	node  string
	at    time.Time
	every time.Duration
	age   time.Duration // what the way took; it grows while a canary is on it or missing
	late  bool
}

// look gives all nodes, in the order in which they were heard of first.
func (c *canaries) look(now time.Time) []heardOf {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]heardOf, 0, len(c.nodes))
	for node, n := range c.nodes {
		if now.Sub(n.at) > silentAfter {
			delete(c.nodes, node)
			continue
		}
		missing := now.Sub(n.at) - n.every
		out = append(out, heardOf{node, n.at, n.every, max(n.took, missing), missing > n.took+n.every})
	}
	for _, s := range c.waiting {
		if i := slices.IndexFunc(out, func(h heardOf) bool { return h.node == s.node }); i >= 0 {
			out[i].age = max(out[i].age, now.Sub(s.at))
		}
	}
	slices.SortFunc(out, func(a, b heardOf) int { return cmp.Compare(c.nodes[a.node].order, c.nodes[b.node].order) })
	return out
}

// canariesNow gives all nodes with the whole of the way: until what is stored is found by a search, too.
func (m *metrics) canariesNow(now time.Time) []heardOf {
	out := m.canaries.look(now)
	if m.probe != nil {
		age, _ := m.probe.age(now)
		for i := range out {
			out[i].age += age
		}
	}
	return out
}

// songs shows the way of the canaries.
type songs struct {
	of   *metrics
	desc *prometheus.Desc
}

func newSongs(m *metrics) *songs {
	return &songs{m, prometheus.NewDesc("im_canary_searchable_seconds",
		"Time from a shipper's newest canary to its lines being searchable, by the node that sent it; it grows while the next one is missing. Past a hundred nodes the slowest of the rest is other.", []string{"node"}, nil)}
}

// Describe tells of the metric.
func (s *songs) Describe(out chan<- *prometheus.Desc) { out <- s.desc }

// Collect shows it.
func (s *songs) Collect(out chan<- prometheus.Metric) {
	all := s.of.canariesNow(s.of.now())
	show := func(node string, age time.Duration) {
		out <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, age.Seconds(), node)
	}
	for _, h := range all[:min(maxNamed, len(all))] {
		show(h.node, h.age)
	}
	if len(all) > maxNamed {
		rest := slices.MaxFunc(all[maxNamed:], func(a, b heardOf) int { return cmp.Compare(a.age, b.age) })
		show("other", rest.age)
	}
}
