package index

import (
	"slices"
	"sync"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/lag"
)

// backlog follows how far what is stored is behind what Kafka has acknowledged, partition by partition. Ages are those of
// the moment at which it is asked, so that they grow whatever stands still. Safe for concurrent use.
type backlog struct {
	held func() []Held // what the sink holds on purpose; nil: nothing

	mu       sync.Mutex
	begun    time.Time // zero: it is not at work
	joined   bool
	lagger   bus.Lagger // nil: the bus cannot tell
	given    bool       // the group has said once what is ours
	lost     time.Time  // since when it says that no more; zero: it does
	empty    time.Time  // since when nothing is ours; zero: something is, or that is not known
	at       map[place]*reach
	handled  int64 // messages that were stored or held, over all partitions that were ours
	catching lag.Progress
}

// reach is how far one partition is.
type reach struct {
	bus.Lag
	done    int64     // everything before it is stored, or held on purpose
	stored  lag.Meter // of Committed
	written lag.Meter // of End
}

// sum is the backlog at a moment.
type sum struct {
	lines    int64
	age      time.Duration // of the oldest message that is not stored
	rate     float64
	produced float64
	eta      time.Duration
	ends     bool // eta says when it has caught up
}

// unseen is how long the end of a partition may not have been seen before it is taken to grow.
const unseen = 10 * time.Second

// newBacklog makes the backlog of an indexer.
func newBacklog(cfg Config, deps Deps) *backlog {
	b := &backlog{catching: lag.Progress{Log: deps.Log, Bound: cfg.LagBound, What: "Kafka"}}
	if l, ok := deps.Sink.(Looker); ok {
		b.held = func() []Held { return l.Look().Held }
		b.catching.Bound += l.Holds()
	}
	return b
}

func (b *backlog) begin(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun, b.lost = now, now
}

// join takes in that the group has let us in.
func (b *backlog) join(c bus.Consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.joined = true
	b.lagger, _ = c.(bus.Lagger)
}

func (b *backlog) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun, b.joined, b.given, b.lagger, b.at = time.Time{}, false, false, nil, nil
}

// look samples, and sums up.
func (b *backlog) look(now time.Time) sum {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sample(now)
	return b.sum(now)
}

// step samples, sums up, and tells in the log how catching up goes.
func (b *backlog) step(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sample(now)
	left := int64(0)
	for _, r := range b.at {
		left += max(0, r.End-r.done)
		r.stored.Note(r.Committed, now)
		r.written.Note(r.End, now)
	}
	b.catching.Note(b.handled, left, b.age(now), now)
}

// none says that no partition is ours, and has been for a while: at first it may not be known where they begin.
func (b *backlog) none(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.empty.IsZero() && now.Sub(b.empty) > unseen
}

// sample asks the bus. What it does not tell between two generations of the group stays as it was, and ages.
func (b *backlog) sample(now time.Time) {
	if b.lagger == nil {
		return
	}
	lags := b.lagger.Lags()
	if lags == nil {
		if b.lost.IsZero() {
			b.lost = now
		}
		b.empty = time.Time{}
		return
	}
	b.given, b.lost = true, time.Time{}
	ours := make(map[place]*reach, len(lags))
	held := b.holds()
	for _, l := range lags {
		at := place{l.Topic, l.Partition}
		done := max(l.Committed, held[at])
		r := b.at[at]
		if r == nil {
			r = &reach{done: done}
		}
		b.handled += done - r.done
		r.Lag, r.done = l, done
		ours[at] = r
	}
	if !same(ours, b.at) {
		b.catching.Anew()
	}
	b.at = ours
	switch {
	case len(ours) > 0:
		b.empty = time.Time{}
	case b.empty.IsZero():
		b.empty = now
	}
}

// holds gives up to where the sink holds messages on purpose.
func (b *backlog) holds() map[place]int64 {
	if b.held == nil {
		return nil
	}
	out := map[place]int64{}
	for _, h := range b.held() {
		out[place{h.Topic, h.Partition}] = h.To + 1
	}
	return out
}

func same(a, b map[place]*reach) bool {
	for at := range a {
		if b[at] == nil {
			return false
		}
	}
	return len(a) == len(b)
}

func (b *backlog) sum(now time.Time) sum {
	s := sum{age: b.age(now), rate: b.catching.Rate(now), produced: b.catching.Written(now)}
	for _, r := range b.at {
		s.lines += r.lines()
	}
	s.eta, s.ends = b.catching.ETA(now)
	return s
}

// age is that of the oldest message that is not stored, in any partition.
func (b *backlog) age(now time.Time) (age time.Duration) {
	if b.begun.IsZero() {
		return 0
	}
	if cannotTell := b.joined && b.lagger == nil; !b.given && !cannotTell { // nothing older is known
		return max(0, now.Sub(b.begun))
	}
	for _, r := range b.at {
		age = max(age, r.age(b.begun, now))
	}
	return age
}

// lines is how many messages are not stored.
func (r *reach) lines() int64 { return max(0, r.End-r.Committed) }

// age is that of the partition's oldest message that is not stored. begun is when to count from where nothing is known.
func (r *reach) age(begun, now time.Time) time.Duration {
	seen, since := r.Seen, r.Stored
	if seen.IsZero() {
		seen = begun
	}
	if since.IsZero() {
		since = begun
	}
	if r.End <= r.Committed && now.Sub(seen) <= unseen {
		return 0
	}
	return max(0, now.Sub(since))
}

// partitions gives what is ours, in order.
func (b *backlog) partitions() []place {
	out := make([]place, 0, len(b.at))
	for at := range b.at {
		out = append(out, at)
	}
	slices.SortFunc(out, place.compare)
	return out
}
