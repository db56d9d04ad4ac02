package index

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/lag"
	"imwatch/shipper/index/status"
)

var _ status.Indexer = (*Indexer)(nil)

const (
	// lookEvery is how often the backlog is sampled.
	lookEvery = time.Second
	// failingFor is from when on a store that takes nothing is trouble.
	failingFor = 10 * time.Second
	// lostFor is from when on a group that says not what is ours is trouble: a rebalance takes some seconds.
	lostFor = 30 * time.Second
)

// watch follows what the consumer is behind, and what can be searched for, until the returned function is called.
func (x *Indexer) watch(ctx context.Context, c bus.Consumer) (stop func()) {
	b := x.metrics.backlog
	b.join(c)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			now := x.deps.Now()
			b.step(now)
			if b.none(now) {
				x.metrics.canaries.forget()
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	if p := x.metrics.probe; p != nil {
		done.Go(func() { p.run(ctx) })
	}
	return func() {
		cancel()
		done.Wait()
	}
}

// Status tells how the indexer is. Safe for concurrent use.
func (x *Indexer) Status() status.Status {
	now, m := x.deps.Now(), x.metrics
	st := status.Status{
		At: now.UTC(), Sink: x.cfg.Sinks[0], Group: x.cfg.Group, Trouble: []string{}, Outcomes: map[string]int64{},
		Canaries: []status.Canary{}, DeadLetter: m.letter.Load().tell(), Refused: m.refused.Load().tell(),
	}
	for name, o := range m.outcomes {
		st.Outcomes[name] = o.n.Load()
	}
	m.backlog.tell(&st, m.estimate, now)
	x.tellOfStore(&st, now)
	x.tellOfLag(&st, now)
	x.tellOfSearch(&st, now)
	for _, h := range m.canariesNow(now) {
		st.Canaries = append(st.Canaries, status.Canary{Node: h.node, At: h.at.UTC(), Seconds: rounded(h.age.Seconds()), Every: h.every.Seconds(), Late: h.late})
	}
	st.Healthy = len(st.Trouble) == 0
	return st
}

func trouble(st *status.Status, format string, args ...any) {
	st.Trouble = append(st.Trouble, fmt.Sprintf(format, args...))
}

// tell tells of the group and the partitions.
func (b *backlog) tell(st *status.Status, bytes func(int64) int64, now time.Time) {
	s := b.look(now)
	st.Lag.Lines, st.Lag.Bytes = s.lines, bytes(s.lines)
	st.Throughput = status.Throughput{Stored: rounded(s.rate), Produced: rounded(s.produced)}
	if s.ends {
		eta := rounded(s.eta.Seconds())
		st.Lag.ETA = &eta
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	st.Partitions = make([]status.Partition, 0, len(b.at))
	stale, oldest := 0, now
	for _, at := range b.partitions() {
		r := b.at[at]
		p := status.Partition{
			Topic: at.topic, Partition: at.partition, Next: r.Next, Committed: r.Committed, End: r.End, EndSeen: utc(r.Seen), LagLines: r.lines(),
			LagBytes: bytes(r.lines()), LagSeconds: rounded(r.age(b.begun, now).Seconds()), Rate: rounded(r.stored.Rate(now)),
		}
		if d, ok := lag.ETA(p.LagLines, r.stored.Rate(now)-r.written.Rate(now)); ok {
			eta := rounded(d.Seconds())
			p.ETA = &eta
		}
		seen := r.Seen
		if seen.IsZero() {
			seen = b.begun
		}
		if now.Sub(seen) > unseen && b.lost.IsZero() {
			stale++
		}
		if seen.Before(oldest) {
			oldest = seen
		}
		st.Partitions = append(st.Partitions, p)
	}
	switch {
	case b.begun.IsZero():
		trouble(st, "the indexer is not running")
	case !b.joined:
		trouble(st, "the consumer group %s could not be joined for %s: the brokers do not answer, or have not the topics", st.Group, now.Sub(b.begun).Round(time.Second))
	case b.lagger == nil: // the bus cannot tell
	case !b.given:
		trouble(st, "the consumer group %s has given no partitions yet, for %s", st.Group, now.Sub(b.begun).Round(time.Second))
	case !b.lost.IsZero() && now.Sub(b.lost) > lostFor:
		trouble(st, "the consumer group %s has given no partitions for %s: it is being rebalanced, or the brokers do not answer", st.Group, now.Sub(b.lost).Round(time.Second))
	}
	if stale > 0 {
		trouble(st, "where %d of %d partitions end has not been seen for %s: the brokers do not answer", stale, len(b.at), now.Sub(oldest).Round(time.Second))
	}
}

// tellOfStore tells of the way to the store or sink.
func (x *Indexer) tellOfStore(st *status.Status, now time.Time) {
	m := x.metrics
	answers := m.calls.look()
	if l, ok := x.deps.Sink.(Looker); ok {
		look := l.Look()
		answers = look.Answers
		for _, h := range look.Held {
			st.Held = append(st.Held, status.Held{Topic: h.Topic, Partition: h.Partition, From: h.From, To: h.To, Bytes: h.Bytes, Age: rounded(max(0, now.Sub(h.Since).Seconds()))})
		}
		slices.SortFunc(st.Held, func(a, b status.Held) int { return place{a.Topic, a.Partition}.compare(place{b.Topic, b.Partition}) })
	}
	st.Store = status.Store{
		InFlight: int(m.flying.batches.Load()), Bytes: m.flying.bytes.Load(), Batch: x.writer.size(),
		Success: utc(answers.Success), Error: answers.Error, ErrorAt: utc(answers.ErrorAt), Failing: utc(answers.Failing),
	}
	if p, ok := x.writer.(*putter); ok {
		st.Store.Window = &status.Window{Bytes: int64(p.pace.bytes()), Least: int64(p.pace.least()), Most: int64(p.pace.most())}
	}
	if f := answers.Failing; !f.IsZero() && now.Sub(f) > failingFor {
		trouble(st, "%s has taken nothing for %s: %s", st.Sink, now.Sub(f).Round(time.Second), answers.Error)
	}
}

func (x *Indexer) tellOfLag(st *status.Status, now time.Time) {
	age, bound := x.metrics.lagAge(now), x.metrics.backlog.catching.Bound
	st.Lag.Seconds, st.Lag.Bound, st.Lag.Behind = rounded(age.Seconds()), bound.Seconds(), age > bound
	if st.Lag.Behind {
		trouble(st, "the oldest message that is not in %s has waited for %v, longer than indexer.lag_bound allows, %v", st.Sink, age.Round(time.Second), bound)
	}
}

func (x *Indexer) tellOfSearch(st *status.Status, now time.Time) {
	p := x.metrics.probe
	if p == nil {
		return
	}
	age, waiting := p.age(now)
	s := p.look()
	s.Seconds, s.Waiting = rounded(age.Seconds()), waiting
	st.Searchable = &s
	if waiting && age > x.cfg.LagBound {
		trouble(st, "no search has found what was stored in %s %v ago", s.Index, age.Round(time.Second))
	}
}

// look tells of the document that is looked for, or was found last.
func (p *probe) look() status.Searchable {
	p.mu.Lock()
	defer p.mu.Unlock()
	return status.Searchable{Index: p.index, At: utc(p.foundAt), Error: p.err, ErrorAt: utc(p.errAt)}
}

// tell may be called on nil.
func (l *letter) tell() *status.DeadLetter {
	if l == nil {
		return nil
	}
	return &status.DeadLetter{At: l.at.UTC(), Reason: l.reason, Detail: l.detail, Topic: l.topic, Partition: l.partition, Offset: l.offset}
}

func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// rounded keeps three places.
func rounded(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }
