package index

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Counter is what the probe asks of a store.
type Counter interface {
	Count(ctx context.Context, q store.Query) (int64, error)
}

// probe measures how long what is stored takes until a search finds it: now and then it takes the last document of a
// call and looks for it until it is found. One document is looked for at a time. Safe for concurrent use.
type probe struct {
	every time.Duration
	store Counter
	log   logrus.FieldLogger
	now   func() time.Time
	given chan struct{} // has one entry when there is a document to look for

	mu      sync.Mutex
	wants   bool // the next document that is stored is to be looked for
	index   string
	id      string
	since   time.Time // when the document was stored since which nothing was found; zero: none is looked for
	stored  time.Time // when the one was that is looked for
	took    time.Duration
	foundAt time.Time
	err     string // of the last question that failed
	errAt   time.Time
	failing bool
}

const (
	// firstLook is how long after it was stored a document is looked for first.
	firstLook = 100 * time.Millisecond
	// lastLook is the longest pause between two looks.
	lastLook = 5 * time.Second
	// anotherAfter is from when on a newer document is looked for: the one may have been deleted meanwhile.
	anotherAfter = time.Minute
)

func newProbe(every time.Duration, c Counter, log logrus.FieldLogger, now func() time.Time) *probe {
	return &probe{every: every, store: c, log: log, now: now, given: make(chan struct{}, 1), wants: true}
}

// offer takes the last document that a call has stored, if one is wanted. It may be called on nil.
func (p *probe) offer(items []item, results []store.Result) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wants {
		return
	}
	for i := len(items) - 1; i >= 0; i-- {
		if results[i].Outcome != store.Stored || items[i].letter {
			continue
		}
		d := &items[i].doc
		p.index, p.id, p.stored, p.wants = strings.Clone(d.Index), strings.Clone(d.ID), p.now(), false // they lie in the batch
		if p.since.IsZero() {
			p.since = p.stored
		}
		select {
		case p.given <- struct{}{}:
		default: // it is being looked for in place of an older one
		}
		return
	}
}

// run looks for documents until ctx ends.
func (p *probe) run(ctx context.Context) {
	for {
		select {
		case <-p.given:
		case <-ctx.Done():
			return
		}
		if !p.find(ctx) || !pause(ctx, p.every) {
			return
		}
		p.want()
	}
}

func (p *probe) want() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wants = true
}

// find looks for what was given until it is found, or ctx ends.
func (p *probe) find(ctx context.Context) bool {
	for wait := firstLook; pause(ctx, wait); {
		p.mu.Lock()
		index, id, stored := p.index, p.id, p.stored
		p.mu.Unlock()
		n, err := p.store.Count(ctx, store.Query{Indices: index, Where: filter.Equal{
			Field: filter.Field{Name: "event.id", ID: event.FieldEventID, Type: event.Keyword}, Value: event.KeywordValue(id),
		}})
		if ctx.Err() != nil {
			return false
		}
		now := p.now()
		if err == nil && n > 0 {
			p.found(stored, now)
			return true
		}
		p.missed(err, now)
		wait = min(max(firstLook, now.Sub(stored)/3), lastLook)
	}
	return false
}

// found takes in that a document was found that was stored at a time.
func (p *probe) found(stored, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took, p.foundAt, p.since, p.failing = now.Sub(stored), now, time.Time{}, false
	p.wants = false
	select {
	case <-p.given: // a newer one, which is not of interest any more
	default:
	}
}

// missed takes in that it was not found, or why it is not known.
func (p *probe) missed(err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.stored) > anotherAfter {
		p.wants = true
	}
	if err == nil {
		return
	}
	p.err, p.errAt = err.Error(), now
	if !p.failing {
		p.failing = true
		p.log.WithError(err).Warn("the store cannot be asked for what was stored last; how long it takes until a search finds it is not known")
	}
}

// age is how long the last one took that was found, or for how long nothing has been found by now.
func (p *probe) age(now time.Time) (age time.Duration, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age = p.took
	if !p.since.IsZero() {
		age, waiting = max(age, now.Sub(p.since)), true
	}
	return age, waiting
}

func (p *probe) gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "im_index_searchable_seconds", Help: "How long what was stored took until a search found it, measured on one document at a time; it grows while one is looked for.",
	}, func() float64 { age, _ := p.age(p.now()); return age.Seconds() })
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
