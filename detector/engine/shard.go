package engine

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/filter"
)

// Several engines can share the keys of a stream, each a shard of them: the engine of shard Options.Shard evaluates
// only the keys that belong to it. It must be given every event that Routes names it for and, of all others, what they
// do to the clocks of nodes (Heard); then the engines of all shards together say what one engine would.

// owner gives the shard of n that a key belongs to. seed tells apart the keys of different fields.
func owner(seed, keyHash uint64, n int) int {
	const golden = 0x9E3779B97F4A7C15
	return int(((keyHash ^ seed) * golden >> 32) % uint64(n)) //nolint:gosec // below n
}

// seedOf gives the seed for the keys of fields.
func seedOf(fields []filter.Field) uint64 {
	var h xxhash.Digest
	h.Reset()
	for _, f := range fields {
		_, _ = h.WriteString(f.Name) // it never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// owns says whether the engine's shard has a key. What a rule adds to group_by for keys of its own does not matter: all
// of these belong together.
func (r *runner) owns(key string) bool {
	o := &r.engine.options
	return o.Shards == 0 || owner(r.seed, xxhash.Sum64String(r.unit(key)), o.Shards) == o.Shard
}

// ownsAny says whether the engine's shard has one of the keys of an event.
func (r *runner) ownsAny(ev *event.Event) bool {
	if r.engine.options.Shards == 0 {
		return true
	}
	first, more, _ := r.space.of(ev, r.engine.epoch)
	return r.owns(first) || slices.ContainsFunc(more, r.owns)
}

// Heard tells of an event of a node that concerns other shards only: it moves the node's clock as Observe does.
func (e *Engine) Heard(partition int, node string, at, wall int64) {
	for _, l := range e.lanes {
		l.mark.Event(partition, node, at, wall)
	}
	e.greatest = max(e.greatest, at)
}

// Began tells the least event time of a partition, whatever shards its events concern: the stream begins there.
func (e *Engine) Began(partition int, at int64) {
	for _, l := range e.lanes {
		if !l.mark.Late(partition, at) {
			l.sees(at)
		}
	}
}

// Shipped tells that a node's shipper has delivered everything up to an instant, as Observe does for a watermark.
func (e *Engine) Shipped(partition int, node string, until, wall int64) {
	for _, l := range e.lanes {
		l.mark.Shipped(partition, node, until, wall)
	}
}

// Routes says which shards an event concerns: those that own one of its keys under a rule that has a use for it. Make
// it with NewRoutes. Not safe for concurrent use.
type Routes struct {
	dispatch dispatch
	spaces   map[*runner]*routeSpace
	shards   int
	version  uint64
	epoch    uint64
	met      []uint64 // by shard, the epoch of the event that concerned it last
	out      []int
	scratch  []byte
}

// routeSpace makes keys without remembering any.
type routeSpace struct {
	fields []filter.Field
	seed   uint64
	epoch  uint64 // of the event that was looked at last
}

// NewRoutes makes the routes for rules to n shards. Disabled rules are left out. The error names a rule that has no
// evaluator.
func NewRoutes(rules []*rule.Rule, n int) (*Routes, error) {
	r := &Routes{spaces: map[*runner]*routeSpace{}, shards: n, met: make([]uint64, n)}
	var runners []*runner
	bySeed := map[uint64]*routeSpace{}
	var prints []string
	for _, one := range rules {
		if one.Status == rule.StatusDisabled {
			continue
		}
		kind, err := window.NewKind(one)
		if err != nil {
			return nil, fmt.Errorf("routing for rules: %w", err)
		}
		run := &runner{rule: one, kind: kind}
		runners = append(runners, run)
		seed := seedOf(one.GroupBy)
		if bySeed[seed] == nil {
			bySeed[seed] = &routeSpace{fields: one.GroupBy, seed: seed}
		}
		r.spaces[run] = bySeed[seed]
		prints = append(prints, one.ID+"\x00"+one.Fingerprint())
	}
	r.dispatch = newDispatch(runners)
	slices.Sort(prints)
	r.version = xxhash.Sum64String(fmt.Sprintf("%q", prints))
	return r, nil
}

// Version is a hash of what the rules decide: who routes by other rules gives another one.
func (r *Routes) Version() uint64 { return r.version }

// Of gives the shards that an event concerns, each once, in no particular order. The slice is valid until the next
// call.
func (r *Routes) Of(ev *event.Event) []int {
	r.epoch++
	r.out = r.out[:0]
	for _, runners := range r.dispatch.of(ev) {
		for _, run := range runners {
			s := r.spaces[run]
			if s.epoch == r.epoch || len(r.out) == r.shards {
				continue
			}
			if _, wanted := run.kind.See(ev); wanted {
				s.epoch = r.epoch
				r.keys(s, ev)
			}
		}
	}
	return r.out
}

// keys adds the owners of an event's keys in one keyspace.
func (r *Routes) keys(s *routeSpace, ev *event.Event) {
	r.scratch = r.scratch[:0]
	for _, f := range s.fields {
		v, has := f.Value(ev)
		if has && v.List != nil {
			first, more, _ := newKeyspace(s.fields).of(ev, 1)
			r.add(s, xxhash.Sum64String(first))
			for _, key := range more {
				r.add(s, xxhash.Sum64String(key))
			}
			return
		}
		r.scratch = appendPart(r.scratch, v.Text, !has)
	}
	r.add(s, xxhash.Sum64(r.scratch))
}

func (r *Routes) add(s *routeSpace, keyHash uint64) {
	n := owner(s.seed, keyHash, r.shards)
	if r.met[n] != r.epoch {
		r.met[n] = r.epoch
		r.out = append(r.out, n)
	}
}
