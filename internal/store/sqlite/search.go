package sqlite

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"imwatch/internal/store"
)

// Search yields the matching documents, each file as it was when the search came to it. Files whose times overlap are
// read side by side, the others one after the other.
func (s *Store) Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	return func(yield func(store.Hit, error) bool) {
		done := s.metrics.Observe("search")
		err := s.search(ctx, q, func(h store.Hit) bool { return yield(h, nil) })
		done(err)
		if err != nil {
			yield(store.Hit{}, failure(ctx, "searching "+q.Indices, err))
		}
	}
}

// errStop ends a search whose reader wants no more.
var errStop = errors.New("the reader has had enough")

func (s *Store) search(ctx context.Context, q store.Query, yield func(store.Hit) bool) error {
	cond := conditionOf(q)
	parts, err := s.spans(ctx, q.Indices, cond)
	if err != nil {
		return err
	}
	for len(parts) > 0 {
		n, hi := 1, parts[0].hi
		for n < len(parts) && parts[n].lo <= hi {
			hi = max(hi, parts[n].hi)
			n++
		}
		if err := s.merge(ctx, parts[:n], cond, yield); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
		parts = parts[n:]
	}
	return nil
}

// span is a file and the times of its documents.
type span struct {
	index  string
	lo, hi int64
}

// spans gives the files that can hold matches, by their first time.
func (s *Store) spans(ctx context.Context, pattern string, cond condition) ([]span, error) {
	var all []span
	err := s.eachFile(ctx, pattern, func(f *file) error {
		lo, hi, ok, err := f.span(ctx)
		if ok && hi >= cond.from && (lo < cond.to || !cond.timed) {
			all = append(all, span{f.name, lo, hi})
		}
		return err
	})
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.index, b.index)) })
	return all, err
}

// eachFile calls do with each file that matches the pattern, open.
func (s *Store) eachFile(ctx context.Context, pattern string, do func(*file) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, index := range s.files.match(pattern) {
		f, err := s.acquire(ctx, index)
		if err != nil {
			return err
		}
		err = do(f)
		s.files.release(f)
		if err != nil {
			return fmt.Errorf("index %s: %w", index, err)
		}
	}
	return nil
}

// acquire opens an index that was there when the call began. One that is gone by now makes the answer incomplete.
func (s *Store) acquire(ctx context.Context, index string) (*file, error) {
	f, err := s.files.acquire(ctx, index, false)
	if errors.Is(err, errGone) {
		return nil, fmt.Errorf("index %s was dropped meanwhile: %w", index, store.ErrUnavailable)
	}
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", index, err)
	}
	return f, nil
}

// merge yields the matches of files that overlap in time.
func (s *Store) merge(ctx context.Context, parts []span, cond condition, yield func(store.Hit) bool) (err error) {
	var open []*cursor
	var held []*file
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.rows.Close())
		}
		for _, f := range held {
			s.files.release(f)
		}
	}()
	var ready cursors
	for _, p := range parts {
		f, err := s.acquire(ctx, p.index)
		if err != nil {
			return err
		}
		held = append(held, f)
		c, err := openCursor(ctx, f, cond, p.lo, p.hi)
		if err != nil {
			return fmt.Errorf("index %s: %w", p.index, err)
		}
		open = append(open, c)
		if err := ready.add(c); err != nil {
			return err
		}
	}
	for len(ready) > 0 {
		c := ready[0]
		if !yield(c.hit) {
			return errStop
		}
		c.hit.Body = nil // it is the reader's now
		heap.Pop(&ready)
		if err := ready.add(c); err != nil {
			return err
		}
	}
	return nil
}

// add moves a cursor to its next match and takes it in, unless it is at its end.
func (h *cursors) add(c *cursor) error {
	ok, err := c.next()
	if err != nil {
		return fmt.Errorf("index %s: %w", c.hit.Index, err)
	}
	if ok {
		heap.Push(h, c)
	}
	return nil
}
