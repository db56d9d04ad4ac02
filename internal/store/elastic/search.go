package elastic

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"imwatch/event"
	"imwatch/internal/store"
)

// Search yields the matching documents as they were when it began.
func (s *Store) Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	return func(yield func(store.Hit, error) bool) {
		done := s.metrics.Observe("search")
		err := s.search(ctx, q, func(h store.Hit) bool { return yield(h, nil) })
		done(err)
		if err != nil {
			yield(store.Hit{}, fmt.Errorf("searching %s: %w", q.Indices, err))
		}
	}
}

func (s *Store) search(ctx context.Context, q store.Query, yield func(store.Hit) bool) error {
	sel := selectionOf(q)
	err := s.asking(ctx, sel, func(p *pit) error {
		o := orderer{yield: yield}
		err := s.judged(ctx, p, sel.wide, sel, func(h hit, e *event.Event) error { return o.add(h, e) })
		if err != nil {
			return err
		}
		return o.flush()
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// judged calls do with the hits of query that the selection means. A document that is no event to us (written by
// somebody else) is taken as the server finds it, with a nil event.
func (s *Store) judged(ctx context.Context, p *pit, query obj, sel selection, do func(hit, *event.Event) error) error {
	var e event.Event
	for page, err := range p.pages(ctx, query) {
		if err != nil {
			return err
		}
		for _, h := range page {
			known := &e
			if err := store.DecodeDoc(h.Source, known); err != nil {
				s.log.WithError(err).WithField("document", h.Index+"/"+h.ID).Warn("document cannot be read; conditions on it are the server's alone")
				known = nil
			}
			if known != nil && !sel.match(known) {
				continue
			}
			if err := do(h, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// orderer puts the hits of one millisecond in order of (@timestamp, id, index).
type orderer struct {
	yield   func(store.Hit) bool
	milli   []byte // the sort value of those that wait
	waiting []ordered
}

type ordered struct {
	at  int64
	hit store.Hit
}

func (o *orderer) add(h hit, e *event.Event) error {
	if !bytes.Equal(h.Sort[0], o.milli) {
		if err := o.flush(); err != nil {
			return err
		}
		o.milli = h.Sort[0]
	}
	at := int64(math.MaxInt64)
	if e != nil && e.Has(event.FieldTimestamp) {
		at = e.UnixNano()
	}
	o.waiting = append(o.waiting, ordered{at, store.Hit{Index: h.Index, ID: h.ID, Body: h.Source}})
	return nil
}

func (o *orderer) flush() error {
	slices.SortFunc(o.waiting, func(a, b ordered) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.hit.ID, b.hit.ID), cmp.Compare(a.hit.Index, b.hit.Index))
	})
	for _, w := range o.waiting {
		if !o.yield(w.hit) {
			return errStop
		}
	}
	clear(o.waiting)
	o.waiting = o.waiting[:0]
	return nil
}

// Count gives the number of matching documents.
func (s *Store) Count(ctx context.Context, q store.Query) (int64, error) {
	done := s.metrics.Observe("count")
	n, err := s.count(ctx, q)
	done(err)
	if err != nil {
		return 0, fmt.Errorf("counting in %s: %w", q.Indices, err)
	}
	return n, nil
}

func (s *Store) count(ctx context.Context, q store.Query) (n int64, err error) {
	sel := selectionOf(q)
	err = s.asking(ctx, sel, func(p *pit) error {
		rest := sel.wide
		if sel.exact {
			got, err := p.search(ctx, obj{"query": sel.sure, "size": 0, "track_total_hits": true})
			if err != nil {
				return err
			}
			n, rest = got.Hits.Total.Value, sel.rest
		}
		return s.judged(ctx, p, rest, sel, func(hit, *event.Event) error { n++; return nil })
	})
	return n, err
}
