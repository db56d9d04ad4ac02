package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// putter brings batches into the store, however long it takes. Safe for concurrent use.
type putter struct {
	cfg     Config
	log     logrus.FieldLogger
	now     func() time.Time
	store   store.Writer
	pace    *pace
	metrics *metrics
	warned  atomic.Int64 // Unix ns of the last warning
}

func (p *putter) size() int                            { return p.pace.size() }
func (p *putter) room(bytes, flying, batches int) bool { return p.pace.room(bytes, flying, batches) }
func (p *putter) every() time.Duration                 { return 0 }

// write returns when every document of the batch is in the store or refused and kept as a dead letter. Its error is
// ctx's.
func (p *putter) write(ctx context.Context, b *batch) ([]bus.Message, error) {
	start := p.now()
	refused, err := p.insist(ctx, b.items)
	if err != nil {
		return nil, err
	}
	for len(refused) > 0 {
		letters := make([]item, 0, len(refused))
		for _, r := range refused {
			if l, ok := p.lament(r); ok {
				letters = append(letters, l)
			}
		}
		if refused, err = p.insist(ctx, letters); err != nil {
			return nil, err
		}
	}
	if len(b.items) > 0 {
		p.metrics.batch.Observe(p.now().Sub(start).Seconds())
	}
	return b.ends(), nil
}

// refusal is a document that the store will never take.
type refusal struct {
	item   item
	reason string
}

// lament makes a dead letter of a document that was refused. If that was one already, all that is left is to say so
// aloud: the message itself stays on the bus for as long as that keeps it.
func (p *putter) lament(r refusal) (item, bool) {
	m := r.item.from
	if r.item.letter {
		p.metrics.refuse(m, r.reason)
		p.log.WithFields(logrus.Fields{"topic": m.Topic, "partition": m.Partition, "offset": m.Offset, "reason": r.reason}).
			Error("the store refused a dead letter; the message is on the bus only")
		return item{}, false
	}
	p.metrics.lament(m, "rejected", r.reason)
	at := m.Time
	if at.IsZero() {
		at = p.now()
	}
	l := deadletter.Letter{
		At: at, ID: origin(m), Stage: "indexer", Reason: "rejected", Detail: r.reason,
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Original: m.Value,
	}
	doc := store.Doc{Index: event.DeadLetterIndex(at), ID: l.ID, Body: l.AppendJSON(nil)}
	return item{doc: doc, from: m, letter: true}, true
}

// insist puts the items until the store has taken or refused each; only what it could not take is put again, in calls
// as large as the pace allows by then.
func (p *putter) insist(ctx context.Context, items []item) ([]refusal, error) {
	var refused []refusal
	wait := p.cfg.RetryMin
	for len(items) > 0 {
		n, bytes := p.fit(items)
		again, more, err := p.call(ctx, items[:n], bytes)
		refused = append(refused, more...)
		rest := items[n:]
		if len(again) == 0 && err == nil {
			items, wait = rest, p.cfg.RetryMin
			continue
		}
		if len(again) < n {
			wait = p.cfg.RetryMin // some were taken: the store works
		}
		items = append(slices.Clip(again), rest...)
		p.metrics.retries.Add(float64(len(again)))
		select {
		case <-time.After(wait/2 + rand.N(wait)): // spreads attempts, keeps no secret
			wait = min(2*wait, p.cfg.RetryMax)
		case <-ctx.Done():
			return nil, fmt.Errorf("putting %d documents: %w", len(items), errors.Join(context.Cause(ctx), err))
		}
	}
	return refused, nil
}

// fit gives how many of the items go in one call, and their bytes.
func (p *putter) fit(items []item) (n, bytes int) {
	most := p.pace.size() * 5 / 4
	for n < len(items) && (n == 0 || bytes+len(items[n].doc.Body) <= most) {
		bytes += len(items[n].doc.Body)
		n++
	}
	return n, bytes
}

// call puts items once. It gives what is to be put again, and what was refused.
func (p *putter) call(ctx context.Context, items []item, bytes int) (again []item, refused []refusal, err error) {
	docs := make([]store.Doc, len(items))
	for i := range items {
		docs[i] = items[i].doc
	}
	cuts, start := p.pace.begin(), p.now()
	results, err := p.store.Put(ctx, docs...)
	took := p.now().Sub(start)
	if err == nil && len(results) != len(items) {
		err = fmt.Errorf("%d results for %d documents", len(results), len(items))
	}
	if err == nil {
		p.metrics.request.Observe(took.Seconds())
		again, refused = p.sort(items, results)
		p.metrics.probe.offer(items, results)
	} else {
		p.metrics.failures.Inc()
		p.warn(err, len(items))
		again = items
	}
	if len(again) < len(items) {
		p.metrics.calls.took(p.now())
	}
	if len(again) > 0 {
		p.pace.refused(cuts)
	} else {
		p.pace.taken(cuts, bytes, took)
	}
	p.metrics.window.Set(p.pace.bytes())
	return again, refused, err
}

// sort counts what is done and gives what is to be put again and what was refused.
func (p *putter) sort(items []item, results []store.Result) (again []item, refused []refusal) {
	var stored, existed, letters int
	for i, r := range results {
		switch r.Outcome {
		case store.Rejected:
			refused = append(refused, refusal{items[i], r.Reason})
			continue
		case store.Retry:
			again = append(again, items[i])
			continue
		case store.Existed, store.Stored:
		}
		switch {
		case items[i].letter:
			letters++
		case r.Outcome == store.Existed:
			existed++
		default:
			stored++
		}
	}
	if len(again) > 0 {
		p.warn(errors.New(reasonOf(results)), len(again))
	}
	p.metrics.count(outcomeStored, stored)
	p.metrics.count(outcomeExisted, existed)
	p.metrics.count(outcomeDeadLetter, letters)
	return again, refused
}

func reasonOf(results []store.Result) string {
	for _, r := range results {
		if r.Outcome == store.Retry && r.Reason != "" {
			return r.Reason
		}
	}
	return "the store could not take it at the moment"
}

// warn notes that the store does not take what it should, and says so once in ten seconds.
func (p *putter) warn(err error, n int) {
	p.metrics.calls.failed(err, p.now())
	now, last := p.now().UnixNano(), p.warned.Load()
	if now-last >= int64(10*time.Second) && p.warned.CompareAndSwap(last, now) {
		p.log.WithError(err).WithField("documents", n).Warn("the store did not take documents; they are put again until it does, and no more is read meanwhile")
	}
}
