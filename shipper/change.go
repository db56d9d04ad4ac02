package shipper

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"imwatch/shipper/tail"
)

// change is what lines have moved, and what may be said once they are acknowledged.
type change struct {
	marks      map[tail.ID]tail.State // the positions after them
	forgotten  []tail.ID
	nodes      []nodeState // first seen in them
	watermarks []nodeState // to be told after them
	gone       []string    // nodes that are remembered no longer
	canary     []byte      // goes behind the records; nil: none
	done       []func()    // to be called when all is safe: acknowledged, or in the queue
	begun      []*receipt  // of whose lines some are in it

	empty int            // lines without anything in them
	dead  map[string]int // dead letters by reason
	bytes int            // of the records
}

// receipt is for the lines that an input has given at once. It is void when some of them were dropped. Owned by the
// sender once lines of it were handed over.
type receipt struct {
	done func()
	void bool
}

func (r *receipt) settle() {
	if !r.void {
		r.done()
	}
}

// still says that it moves nothing.
func (c *change) still() bool {
	return len(c.marks)+len(c.forgotten)+len(c.nodes)+len(c.watermarks)+len(c.gone)+len(c.canary)+len(c.done) == 0
}

// take gives what is in it away, to be filled anew.
func (c *change) take() change {
	out := *c
	*c = change{marks: map[tail.ID]tail.State{}}
	return out
}

// settle tells those who wait that what they gave is safe.
func (c *change) settle() {
	for _, done := range c.done {
		done()
	}
	c.done = nil
}

// follow adds what comes after: of what both say the later counts.
func (c *change) follow(later change) {
	if c.marks == nil {
		c.marks = map[tail.ID]tail.State{}
	}
	maps.Copy(c.marks, later.marks)
	for _, id := range later.forgotten {
		delete(c.marks, id)
	}
	c.forgotten = append(c.forgotten, later.forgotten...)
	c.nodes = latest(c.nodes, later.nodes, later.gone)
	c.watermarks = latest(c.watermarks, later.watermarks, later.gone)
	c.gone = append(c.gone, later.gone...)
	if later.canary != nil {
		c.canary = later.canary
	}
	c.done, c.begun = append(c.done, later.done...), append(c.begun, later.begun...)
	c.empty += later.empty
	c.bytes += later.bytes
	for reason, n := range later.dead {
		if c.dead == nil {
			c.dead = map[string]int{}
		}
		c.dead[reason] += n
	}
}

// latest gives the last state of each node, without those that are gone.
func latest(a, b []nodeState, gone []string) []nodeState {
	out := slices.Clone(b)
	for _, n := range a {
		named := func(o nodeState) bool { return o.Name == n.Name }
		if !slices.ContainsFunc(b, named) && !slices.Contains(gone, n.Name) {
			out = append(out, n)
		}
	}
	return out
}

// savedChange is a change in the queue. Canaries are not kept: one that comes late tells of nothing.
type savedChange struct {
	Files      []tail.State   `json:"files,omitempty"`
	Forgotten  []tail.ID      `json:"forgotten,omitempty"`
	Nodes      []nodeState    `json:"nodes,omitempty"`
	Watermarks []nodeState    `json:"watermarks,omitempty"`
	Gone       []string       `json:"gone,omitempty"`
	Empty      int            `json:"empty,omitempty"`
	Dead       map[string]int `json:"dead,omitempty"`
	Bytes      int            `json:"bytes,omitempty"`
}

func (c *change) encode() ([]byte, error) {
	b, err := json.Marshal(savedChange{
		Files: slices.Collect(maps.Values(c.marks)), Forgotten: c.forgotten, Nodes: c.nodes, Watermarks: c.watermarks,
		Gone: c.gone, Empty: c.empty, Dead: c.dead, Bytes: c.bytes,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding positions for the queue: %w", err)
	}
	return b, nil
}

func decodeChange(b []byte) (change, error) {
	var s savedChange
	if err := json.Unmarshal(b, &s); err != nil {
		return change{}, fmt.Errorf("decoding positions of the queue: %w", err)
	}
	c := change{
		marks: map[tail.ID]tail.State{}, forgotten: s.Forgotten, nodes: s.Nodes, watermarks: s.Watermarks, gone: s.Gone,
		empty: s.Empty, dead: s.Dead, bytes: s.Bytes,
	}
	for _, f := range s.Files {
		c.marks[f.ID()] = f
	}
	return c, nil
}
