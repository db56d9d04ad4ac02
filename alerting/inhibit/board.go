package inhibit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"imwatch/alerting/route"
	"imwatch/event"
)

// Board knows which alerts fire that hold others back, and how many each of them does. Safe for concurrent use.
type Board struct {
	rules   []rule
	sources *route.Index
	targets *route.Index

	mu     sync.Mutex         // guards the fields below
	firing map[string]*source // by alert id
	held   []map[string]group // for each rule, by tuple
}

// group is the sources of one rule and tuple, the oldest first: that is the one that is told of the others.
type group []*source

// find gives the place of an alert, or where it would be.
func (g group) find(a *event.Alert) (at int, found bool) {
	return slices.BinarySearchFunc(g, a, func(s *source, a *event.Alert) int {
		return cmp.Or(s.state.From.Compare(a.From), strings.Compare(s.state.ID, a.ID))
	})
}

// source is an alert that fires and may hold others back.
type source struct {
	state  event.Alert // the newest one
	places []place
	folded map[string]struct{} // ids of alerts held back by it
	more   int                 // beyond maxFolded
}

// place is where a source stands: under a rule and tuple. both says that it satisfies the rule's target as well.
type place struct {
	rule  int
	tuple string
	both  bool
}

// maxFolded bounds how many ids are remembered for one source; beyond it what is held back again counts again.
const maxFolded = 100_000

// New makes a board of rules. A rule that is not valid is an error that names it by its place.
func New(rules []Rule) (*Board, error) {
	b := &Board{firing: map[string]*source{}}
	var sources, targets [][]route.Matcher
	for i, r := range rules {
		c, err := compile(r)
		if err != nil {
			return nil, fmt.Errorf("[%d].%w", i, err)
		}
		b.rules = append(b.rules, c)
		b.held = append(b.held, map[string]group{})
		sources, targets = append(sources, c.source), append(targets, c.target)
	}
	b.sources, b.targets = route.NewIndex(sources), route.NewIndex(targets)
	return b, nil
}

// Note takes in a state of an alert; the states of one alert come in order. One whose rule is in shadow holds nothing back.
func (b *Board) Note(a *event.Alert) {
	var places []place
	if a.State != event.StateResolved && a.Status != "shadow" {
		b.sources.Find(a, func(i int) bool {
			if t, ok := b.rules[i].tuple(a); ok {
				places = append(places, place{i, t, route.MatchAll(b.rules[i].target, a)})
			}
			return true
		})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.firing[a.ID]
	if s != nil {
		b.leave(s)
	}
	if len(places) == 0 {
		delete(b.firing, a.ID)
		return
	}
	if s == nil {
		s = &source{folded: map[string]struct{}{}}
		b.firing[a.ID] = s
	}
	s.state, s.places = *a, places
	for _, p := range places {
		g := b.held[p.rule][p.tuple]
		if at, there := g.find(a); !there {
			b.held[p.rule][p.tuple] = slices.Insert(g, at, s)
		}
	}
}

// leave takes a source from its places.
func (b *Board) leave(s *source) {
	for _, p := range s.places {
		g := b.held[p.rule][p.tuple]
		if at, there := g.find(&s.state); there {
			g = slices.Delete(g, at, at+1)
		}
		if b.held[p.rule][p.tuple] = g; len(g) == 0 {
			delete(b.held[p.rule], p.tuple)
		}
	}
}

// Held says which alert that fires holds this one back, and counts it there.
func (b *Board) Held(a *event.Alert) (by event.Alert, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.find(a)
	if found == nil {
		return by, false
	}
	if _, known := found.folded[a.ID]; !known {
		if len(found.folded) < maxFolded {
			found.folded[a.ID] = struct{}{}
		} else {
			found.more++
		}
	}
	return found.state, true
}

// By is Held without counting.
func (b *Board) By(a *event.Alert) (by event.Alert, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.find(a); found != nil {
		return found.state, true
	}
	return by, false
}

// find gives the source that holds an alert back. No alert holds itself back, and of two that could hold each other back
// by one rule neither does. b.mu is held.
func (b *Board) find(a *event.Alert) (found *source) {
	b.targets.Find(a, func(i int) bool {
		r := &b.rules[i]
		t, has := r.tuple(a)
		if !has || len(b.held[i][t]) == 0 {
			return true
		}
		both := route.MatchAll(r.source, a)
		for _, s := range b.held[i][t] {
			if s.state.ID != a.ID && (!both || !s.both(i)) {
				found = s
				return false
			}
		}
		return true
	})
	return found
}

func (s *source) both(rule int) bool {
	for _, p := range s.places {
		if p.rule == rule && p.both {
			return true
		}
	}
	return false
}

// Folded is how many alerts one that fires has held back.
func (b *Board) Folded(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.firing[id]
	if s == nil {
		return 0
	}
	return len(s.folded) + s.more
}
