package shipper

import (
	"slices"
	"strings"
	"time"

	"imwatch/shipper/tail"
)

// progress knows which nodes write into which logs and how far each log has been read: what watermarks are made of.
// Owned by the reader.
type progress struct {
	newest  map[string]int64 // by log: the greatest event time read, Unix ns
	nodes   map[string]*node
	changed map[string]bool // nodes that are new, or write into another log, since take
}

type node struct {
	until time.Time
	seen  time.Time
	files map[string]bool
}

func newProgress(saved []nodeState) *progress {
	p := &progress{newest: map[string]int64{}, nodes: map[string]*node{}, changed: map[string]bool{}}
	for _, s := range saved {
		n := &node{until: s.Until, seen: s.Seen, files: map[string]bool{}}
		for _, f := range s.Files {
			n.files[f] = true
		}
		p.nodes[s.Name] = n
	}
	return p
}

// note says that a node's lines stand in a log.
func (p *progress) note(name, file string, now time.Time) {
	n := p.nodes[name]
	if n == nil {
		n = &node{files: map[string]bool{}}
		p.nodes[strings.Clone(name)] = n
	}
	n.seen = now
	if !n.files[file] {
		n.files[file] = true
		p.changed[strings.Clone(name)] = true
	}
}

// take gives the nodes that must be remembered together with the lines read since the last call.
func (p *progress) take() []nodeState {
	if len(p.changed) == 0 {
		return nil
	}
	out := make([]nodeState, 0, len(p.changed))
	for name := range p.changed {
		out = append(out, p.nodes[name].state(name))
	}
	clear(p.changed)
	return out
}

func (n *node) state(name string) nodeState {
	return nodeState{Name: name, Until: n.until.UTC(), Seen: n.seen.UTC(), Files: sortedKeys(n.files)}
}

// reached gives, for each log, the event time up to which all of it has been read: the clock at which its end was
// reached, else the newest line. live is false for files that nobody writes any more: then it is the newest line.
func (p *progress) reached(files []tail.File, live bool) map[string]time.Time {
	out := make(map[string]time.Time, len(files))
	for _, f := range files {
		var t time.Time
		if ns := p.newest[f.Live]; ns != 0 {
			t = time.Unix(0, ns)
		}
		if live && f.EndAt.After(t) {
			t = f.EndAt
		}
		out[f.Live] = t
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// watermarks gives each node's state: up to where all logs that it writes into have been read, never less than
// before. Nodes whose logs are gone and that have been silent for keep are dropped and named in gone.
func (p *progress) watermarks(files []tail.File, live bool, now time.Time, keep time.Duration) (marks []nodeState, gone []string) {
	reached := p.reached(files, live)
	present := map[string]bool{}
	for _, f := range files {
		present[f.Live] = f.Present
	}
	for file := range p.newest {
		if _, known := reached[file]; !known {
			delete(p.newest, file)
		}
	}
	for name, n := range p.nodes {
		until, here := now, false // a line from the future must not close the present
		for f := range n.files {
			t, known := reached[f]
			if !known {
				delete(n.files, f) // forgotten: there is nothing more to come of it
				continue
			}
			until, here = earlier(until, t), here || present[f]
		}
		if !here && now.Sub(n.seen) > keep {
			delete(p.nodes, name)
			delete(p.changed, name)
			gone = append(gone, name)
			continue
		}
		if until.After(n.until) {
			n.until = until
		}
		if !n.until.IsZero() {
			marks = append(marks, n.state(name))
		}
	}
	slices.SortFunc(marks, func(a, b nodeState) int { return strings.Compare(a.Name, b.Name) })
	return marks, gone
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
