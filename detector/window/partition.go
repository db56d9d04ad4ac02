package window

import "slices"

// forgetAfter is the wall time of silence after which a node is gone for good: nodes in containers get new names all
// the time, and the old ones must not pile up.
const forgetAfter = int64(3600e9)

// node is a writer into a partition.
type node struct {
	name    string
	clock   int64
	heard   int64 // wall time
	pos     int   // in partition.order
	shipped bool  // the clock is told by watermarks
	silent  bool  // not heard of for too long
	out     bool  // does not count: silent, or too far behind
}

// partition holds the clocks of the nodes that write into one partition.
type partition struct {
	nodes   map[string]*node
	order   []*node // by clock
	silent  int     // how many are silent
	lagging int     // how many are left out but not silent
	mark    int64   // watermark, never falls
	held    bool    // has to be heard of first
	unread  bool    // holds messages that were not read: what comes may be of any node
	empty   int64   // since when nothing is in it, of wall time, while it is held; 0: not known
	ended   bool    // nothing more will come
	number  int
	log     *[]Change // where changes go
}

func newPartition(number int, log *[]Change) *partition {
	return &partition{nodes: map[string]*node{}, mark: None, number: number, log: log}
}

func (p *partition) tell(c Change) {
	c.Partition = p.number
	*p.log = append(*p.log, c)
}

func (p *partition) node(name string) *node {
	if n := p.nodes[name]; n != nil {
		return n
	}
	n := &node{name: name, clock: None}
	p.insert(n)
	return n
}

func (p *partition) insert(n *node) {
	p.nodes[n.name] = n
	n.pos = len(p.order)
	p.order = append(p.order, n)
	p.sift(n)
}

// move sets a node's clock and keeps the order.
func (p *partition) move(n *node, clock int64) {
	n.clock = clock
	p.sift(n)
}

func (p *partition) sift(n *node) {
	for n.pos+1 < len(p.order) && p.order[n.pos+1].clock < n.clock {
		p.swap(n.pos, n.pos+1)
	}
	for n.pos > 0 && p.order[n.pos-1].clock > n.clock {
		p.swap(n.pos-1, n.pos)
	}
}

func (p *partition) swap(i, j int) {
	p.order[i], p.order[j] = p.order[j], p.order[i]
	p.order[i].pos, p.order[j].pos = i, j
}

// wake ends a node's silence and says whether it was silent.
func (p *partition) wake(n *node) bool {
	if !n.silent {
		return false
	}
	n.silent = false
	p.silent--
	if n.out {
		p.lagging++
	}
	return true
}

// release ends the holding of a partition that has been empty for idle.
func (p *partition) release(wall, idle int64) {
	switch {
	case !p.held:
	case p.empty == 0:
		p.empty = wall
	case wall-p.empty >= idle:
		p.held = false
	}
}

// counts says whether the partition holds the watermark: by a node that is heard of, or by messages that are unread.
func (p *partition) counts() bool {
	return len(p.order) > p.silent || p.unread && len(p.order) > 0
}

// refresh says that messages are unread, of whichever node: none falls silent before they are read. One that is silent
// stays so until it is heard of, or every pause of ours would tell that it is back.
func (p *partition) refresh(wall int64) {
	p.unread, p.empty = true, 0
	for _, n := range p.order {
		if !n.silent {
			n.heard = wall
		}
	}
}

// silence marks the nodes not heard of for idle.
func (p *partition) silence(wall, idle int64) {
	for _, n := range p.order {
		if !n.silent && wall-n.heard >= idle {
			n.silent = true
			p.silent++
			if n.out {
				p.lagging--
			}
		}
	}
}

// forget drops the nodes last heard of before an instant of wall time.
func (p *partition) forget(before int64) {
	p.order = slices.DeleteFunc(p.order, func(n *node) bool {
		if n.heard >= before {
			return false
		}
		p.wake(n)
		if n.out {
			p.lagging--
			p.tell(Change{Node: n.name, At: before})
		}
		delete(p.nodes, n.name)
		return true
	})
	for i, n := range p.order {
		n.pos = i
	}
}

// median gives the clock of the middle node of those that are heard of, the lower of two; None without any.
func (p *partition) median() int64 {
	if p.silent == 0 {
		if len(p.order) == 0 {
			return None
		}
		return p.order[(len(p.order)-1)/2].clock
	}
	skip := (len(p.order) - p.silent - 1) / 2
	for _, n := range p.order {
		if n.silent {
			continue
		}
		if skip == 0 {
			return n.clock
		}
		skip--
	}
	return None
}

// least gives the least clock that counts, Never without any, and tells which nodes are left out for their lag and
// which count again.
func (p *partition) least(idle int64) int64 {
	median := p.median()
	bound, least := Add(median, -idle), Never
	for _, n := range p.order {
		if n.silent {
			continue
		}
		if n.clock < bound {
			p.leave(n, Change{Node: n.name, Out: true, At: median, Lag: median - n.clock})
			continue
		}
		if least == Never {
			least = n.clock
		}
		if n.out {
			n.out = false
			p.lagging--
			p.tell(Change{Node: n.name, At: median, Lag: max(0, median-n.clock)})
		}
		if p.lagging == 0 { // nobody left who might count again
			break
		}
	}
	return least
}

// silences tells which silent nodes are left out now.
func (p *partition) silences(wall int64) {
	for _, n := range p.order {
		if n.silent {
			p.leave(n, Change{Node: n.name, Out: true, Silent: true, At: wall, Lag: wall - n.heard})
		}
	}
}

func (p *partition) leave(n *node, c Change) {
	if n.out {
		return
	}
	n.out = true
	if !n.silent {
		p.lagging++
	}
	p.tell(c)
}
