package shard

import (
	"imwatch/detector/engine"
	"imwatch/event"
	"imwatch/internal/bus"
)

// Router turns the records of some partitions into frames. Make it with NewRouter. Not safe for concurrent use.
//
// What an event does to its node's clock goes to the shards that the event does not concern as a record of its own,
// before the next record of the same partition that they get, and with Flush at the latest. So no shard evaluates
// anything by a clock that is further than the events it has been given.
type Router struct {
	routes  *engine.Routes
	writers []*Writer
	sources map[int]*source
}

// NewRouter makes a router to n shards.
func NewRouter(routes *engine.Routes, n int) *Router {
	r := &Router{routes: routes, writers: make([]*Writer, n), sources: map[int]*source{}}
	for i := range r.writers {
		r.writers[i] = NewWriter(routes.Version())
	}
	return r
}

// SetRoutes routes by other rules from now on.
func (r *Router) SetRoutes(routes *engine.Routes) {
	r.routes = routes
	for _, w := range r.writers {
		w.SetVersion(routes.Version())
	}
}

// Event routes an event: line is what stands at an offset of a partition, ev what it says, wall the time now. It gives
// how many shards the event concerns.
func (r *Router) Event(partition int, offset int64, line []byte, ev *event.Event, wall int64) int {
	s := r.source(partition)
	to := r.routes.Of(ev)
	for _, n := range to {
		s.flush(n, r.writers[n])
		r.writers[n].Event(partition, offset, line)
	}
	s.heard(ev.Node(), ev.UnixNano(), wall)
	for _, n := range to { // the event itself tells them
		s.sent[n] = s.step
	}
	return len(to)
}

// Canary routes a record that is no event, for who watches the way of the data: the owner of the first shard.
func (r *Router) Canary(partition int, offset int64, line []byte) {
	r.source(partition).flush(0, r.writers[0])
	r.writers[0].Event(partition, offset, line)
}

// Watermark routes a watermark to all shards. It gives false for one that says nothing.
func (r *Router) Watermark(partition int, offset int64, ev *event.Event, wall int64) bool {
	until, ok := ev.Get(event.FieldPipelineShippedUntil)
	node := ev.Node()
	if !ok || node == "" {
		return false
	}
	s := r.source(partition)
	for n, w := range r.writers {
		s.flush(n, w)
		w.Shipped(partition, offset, node, until.UnixNano())
	}
	s.shipped(node, wall)
	return true
}

// Flush writes the clocks that were not told yet.
func (r *Router) Flush(wall int64) {
	for _, s := range r.sources {
		for n, w := range r.writers {
			s.flush(n, w)
		}
		s.forget(wall)
	}
}

// Take gives the messages for Topic that were made since the call before; they name their partitions.
func (r *Router) Take() []bus.Message {
	var ms []bus.Message
	for n, w := range r.writers {
		for _, frame := range w.Take() {
			ms = append(ms, bus.Message{Partition: n, Value: frame})
		}
	}
	return ms
}

func (r *Router) source(partition int) *source {
	s := r.sources[partition]
	if s == nil {
		s = newSource(partition, len(r.writers))
		r.sources[partition] = s
	}
	return s
}
