package shard

import "math"

// source is what a router knows of one partition: how far the clocks of its nodes have come, and which shards know it.
type source struct {
	partition int
	nodes     map[string]*node
	last      *node    // the one that moved last, and by node.before all others in that order
	first     *node    // the one that has not moved for longest
	step      uint64   // counts moves
	sent      []uint64 // by shard: moves up to this one are known there
	began     int64    // least event time
	beganStep uint64
}

// node is a writer into a partition.
type node struct {
	name          string
	at            int64 // greatest event time
	step          uint64
	wall          int64 // of its last move
	heard         bool  // an event of it was seen
	shipped       bool  // its clock follows watermarks, which go to all shards anyway
	before, after *node
}

func newSource(partition, shards int) *source {
	return &source{partition: partition, nodes: map[string]*node{}, sent: make([]uint64, shards), began: math.MaxInt64}
}

const (
	// sightEvery is how often shards are told that a node whose clock follows watermarks has written an event.
	sightEvery = int64(1e9)
	// forgetAfter is when a node that is not heard of is forgotten.
	forgetAfter = int64(3600e9)
)

// heard notes an event of a node.
func (s *source) heard(name string, at, wall int64) {
	if at < s.began {
		s.step++
		s.began, s.beganStep = at, s.step
	}
	n := s.node(name)
	risen := at > n.at || !n.heard
	if risen {
		n.at, n.heard = at, true
	}
	if n.shipped && wall-n.wall < sightEvery {
		return
	}
	s.move(n, wall)
}

// shipped notes a watermark of a node, which every shard was told.
func (s *source) shipped(name string, wall int64) {
	n := s.node(name)
	n.shipped = true
	s.move(n, wall)
	for i := range s.sent {
		s.sent[i] = s.step
	}
}

func (s *source) node(name string) *node {
	n := s.nodes[name]
	if n == nil {
		n = &node{name: name}
		s.nodes[name] = n
		s.append(n)
	}
	return n
}

func (s *source) move(n *node, wall int64) {
	s.step++
	n.step, n.wall = s.step, wall
	if s.last != n {
		s.remove(n)
		s.append(n)
	}
}

func (s *source) append(n *node) {
	n.before, n.after = s.last, nil
	if s.last != nil {
		s.last.after = n
	} else {
		s.first = n
	}
	s.last = n
}

func (s *source) remove(n *node) {
	if n.before != nil {
		n.before.after = n.after
	} else {
		s.first = n.after
	}
	if n.after != nil {
		n.after.before = n.before
	} else {
		s.last = n.before
	}
}

// flush tells a shard what it does not know yet, in the order in which it came about.
func (s *source) flush(shard int, w *Writer) {
	known := s.sent[shard]
	if known == s.step {
		return
	}
	s.sent[shard] = s.step
	if s.beganStep > known {
		w.Began(s.partition, s.began)
	}
	n := s.last
	for n != nil && n.before != nil && n.before.step > known {
		n = n.before
	}
	for ; n != nil; n = n.after {
		if n.heard && n.step > known {
			w.Heard(s.partition, n.name, n.at)
		}
	}
}

// forget drops nodes that have gone: in containers they get new names all the time.
func (s *source) forget(wall int64) {
	for n := s.first; n != nil && wall-n.wall > forgetAfter; n = s.first {
		s.remove(n)
		delete(s.nodes, n.name)
	}
}
