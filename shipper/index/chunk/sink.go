package chunk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/shipper/index"
)

// Deps is what a Sink works with.
type Deps struct {
	Keeper     Keeper                // needed
	Log        logrus.FieldLogger    // needed
	Registerer prometheus.Registerer // nil: the metrics are not shown
	Now        func() time.Time      // needed
}

// Sink makes chunks and has them kept. Used by one goroutine.
type Sink struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	held    map[Place]*held
	bytes   int // held of all partitions
	warned  time.Time
	shown   shown
}

// held is what a partition has brought that is not kept yet: a run of offsets without a gap.
type held struct {
	at    Place
	span  Span
	until int64 // where the chunk ends, where that is laid down and not reached; -1: it is open
	items []index.Item
	bytes int
	since time.Time
}

var _ index.Sink = (*Sink)(nil)

// New checks the configuration and makes the metrics known.
func New(cfg Config, deps Deps) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring chunks: %w", err)
	}
	m := newMetrics()
	if err := m.register(deps.Registerer); err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, deps: deps, metrics: m, held: map[Place]*held{}}, nil
}

// Write takes items; see index.Sink.
func (s *Sink) Write(ctx context.Context, items []index.Item) (index.Progress, error) {
	var p index.Progress
	now := s.deps.Now()
	for _, it := range items {
		if err := s.take(ctx, &p, now, it); err != nil {
			return p, err
		}
	}
	for _, h := range s.held {
		if h.until < 0 && now.Sub(h.since) >= s.cfg.Age {
			if err := s.settle(ctx, &p, h, false); err != nil {
				return p, err
			}
		}
	}
	for s.bytes > s.cfg.HeldMost {
		h := s.largest()
		if h == nil {
			break
		}
		if err := s.settle(ctx, &p, h, false); err != nil {
			return p, err
		}
	}
	s.show()
	return p, nil
}

// take adds one message to what is held of its partition.
func (s *Sink) take(ctx context.Context, p *index.Progress, now time.Time, it index.Item) error {
	at := Place{it.Topic, it.Partition}
	h := s.held[at]
	switch {
	case h == nil:
	case it.Offset <= h.span.To: // the partition was given to us anew: what is held comes again
		s.drop(h)
		h = nil
	case it.Offset > h.span.To+1:
		// Either what lay between is gone from the topic, or others have had the partition meanwhile. Then they have
		// laid down where the chunk ends that began where ours did.
		if err := s.settle(ctx, p, h, true); err != nil {
			return err
		}
		h = nil
	}
	if h == nil {
		h = &held{at: at, span: Span{it.Offset, it.Offset}, until: -1, since: now}
		s.held[at] = h
	}
	h.span.To = it.Offset
	h.items = append(h.items, it)
	h.bytes += len(it.Body)
	s.bytes += len(it.Body)
	if full := h.bytes >= s.cfg.Bytes; h.until < 0 && full || h.until >= 0 && h.span.To >= h.until {
		return s.settle(ctx, p, h, false)
	}
	return nil
}

// settle keeps what is held of a partition, in the chunks that are laid down for it. What belongs to a chunk that goes
// on is held until the rest has come, unless it will not come any more.
func (s *Sink) settle(ctx context.Context, p *index.Progress, h *held, last bool) error {
	for len(h.items) > 0 {
		var span Span
		err := s.insist(ctx, "laying down a chunk", func() (err error) {
			span, err = s.deps.Keeper.Span(ctx, h.at, h.span)
			return err
		})
		if err != nil {
			return err
		}
		if span.From > h.span.From || span.To < h.span.From {
			return fmt.Errorf("the keeper cut %s at %d into %d to %d", h.at, h.span.From, span.From, span.To)
		}
		switch {
		case span.From < h.span.From:
			// The group was set to an offset inside of a chunk: who laid that down has had all of it.
			s.deps.Log.WithFields(logrus.Fields{"partition": h.at.String(), "from": h.span.From, "to": span.To}).
				Warn("messages belong to a chunk that began before them; they are passed over")
		case span.To > h.span.To && !last:
			h.until = span.To
			return nil
		case span.To > h.span.To: // others have had the partition, and the chunk with it
			s.drop(h)
			return nil
		default:
			if err := s.keep(ctx, p, h, span); err != nil {
				return err
			}
		}
		s.shift(h, span.To)
		if !last && h.bytes < s.cfg.Bytes {
			break
		}
	}
	if len(h.items) == 0 || last {
		s.drop(h)
	}
	return nil
}

// keep has the first part of what is held kept, and says so.
func (s *Sink) keep(ctx context.Context, p *index.Progress, h *held, span Span) error {
	n := int(span.To - h.span.From + 1)
	c := Chunk{Place: h.at, Span: span, Items: distinct(h.items[:n])}
	start := s.deps.Now()
	if err := s.insist(ctx, "keeping a chunk", func() error { return s.deps.Keeper.Keep(ctx, c) }); err != nil {
		return err
	}
	s.metrics.chunks.Inc()
	s.metrics.seconds.Observe(s.deps.Now().Sub(start).Seconds())
	for _, it := range c.Items {
		if it.Letter {
			p.Letters++
			continue
		}
		p.Stored++
	}
	p.Commit = append(p.Commit, bus.Message{Topic: h.at.Topic, Partition: h.at.Partition, Offset: span.To})
	return nil
}

// distinct leaves out messages without a document, and documents that came before in the same chunk.
func distinct(items []index.Item) []index.Item {
	type key struct {
		id     string
		letter bool
	}
	seen := make(map[key]struct{}, len(items))
	out := make([]index.Item, 0, len(items))
	for _, it := range items {
		if it.ID == "" {
			continue
		}
		if _, there := seen[key{it.ID, it.Letter}]; there {
			continue
		}
		seen[key{it.ID, it.Letter}] = struct{}{}
		out = append(out, it)
	}
	return out
}

// shift forgets what is held up to an offset.
func (s *Sink) shift(h *held, to int64) {
	n := min(int(to-h.span.From+1), len(h.items))
	for _, it := range h.items[:n] {
		h.bytes -= len(it.Body)
		s.bytes -= len(it.Body)
	}
	h.items = slices.Clone(h.items[n:]) // so that what is kept leaves the memory
	h.span.From += int64(n)
	h.until = -1
	h.since = s.deps.Now()
}

func (s *Sink) drop(h *held) {
	s.bytes -= h.bytes
	h.items, h.bytes = nil, 0
	delete(s.held, h.at)
}

// largest gives the open chunk with the most bytes, nil if there is none.
func (s *Sink) largest() *held {
	var most *held
	for _, h := range s.held {
		if h.until < 0 && len(h.items) > 0 && (most == nil || h.bytes > most.bytes) {
			most = h
		}
	}
	return most
}

// insist repeats what fails until ctx ends, and warns once in ten seconds.
func (s *Sink) insist(ctx context.Context, what string, do func() error) error {
	for wait := s.cfg.RetryMin; ; wait = min(2*wait, s.cfg.RetryMax) {
		err := do()
		s.answered(err)
		if err == nil {
			return nil
		}
		s.metrics.failures.Inc()
		if now := s.deps.Now(); now.Sub(s.warned) >= 10*time.Second {
			s.warned = now
			s.deps.Log.WithError(err).Warn(what + " failed; it is tried again until it is done, and no more is read meanwhile")
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)): // spreads attempts, keeps no secret
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
	}
}
