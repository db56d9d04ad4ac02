package elastic

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"imwatch/internal/store"
)

// Put creates the documents by _bulk, in several requests where they are more than Config.MaxBulkBytes.
func (s *Store) Put(ctx context.Context, docs ...store.Doc) ([]store.Result, error) {
	done := s.metrics.Observe("put")
	results, err := s.put(ctx, docs)
	done(err)
	if err != nil {
		return nil, fmt.Errorf("putting documents: %w", err)
	}
	s.metrics.Put(results)
	return results, nil
}

func (s *Store) put(ctx context.Context, docs []store.Doc) ([]store.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	results := make([]store.Result, len(docs))
	b := batch{client: s.client, bodies: &s.bodies, docs: docs, results: results}
	for i, d := range docs {
		if err := store.CheckDoc(d); err != nil {
			results[i] = store.Result{Outcome: store.Rejected, Reason: err.Error()}
			continue
		}
		if b.bytes += len(d.Body) + len(d.Index) + len(d.ID) + 40; b.bytes > s.cfg.MaxBulkBytes && len(b.at) > 0 {
			if err := b.flush(ctx); err != nil {
				return nil, err
			}
			b.bytes = len(d.Body)
		}
		b.at = append(b.at, i)
	}
	return results, b.flush(ctx)
}

// batch is what goes in one request: the documents at these places.
type batch struct {
	client  *client
	bodies  *sync.Pool // of *[]byte, for requests
	docs    []store.Doc
	results []store.Result
	at      []int
	bytes   int
}

func (b *batch) flush(ctx context.Context) error {
	err := b.send(ctx, b.at, b.bytes)
	b.at, b.bytes = b.at[:0], 0
	return err
}

// send puts the documents at these places. A request that is refused as a whole (too large, or not understood) is
// cut in halves until the document at fault stands alone.
func (b *batch) send(ctx context.Context, at []int, size int) error {
	if len(at) == 0 {
		return nil
	}
	room, _ := b.bodies.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	body := slices.Grow((*room)[:0], size+len(at)*40)
	for _, i := range at {
		body = appendCreate(body, b.docs[i])
	}
	items, err := b.client.items(ctx, body, len(at), false)
	if err == nil { // else the transport may be reading it still
		*room = body
		b.bodies.Put(room)
	}
	if code := status(err); code == http.StatusRequestEntityTooLarge || code == http.StatusBadRequest {
		if len(at) == 1 {
			b.results[at[0]] = store.Result{Outcome: store.Rejected, Reason: err.Error()}
			return nil
		}
		half := len(at) / 2
		if err := b.send(ctx, at[:half], size/2); err != nil {
			return err
		}
		return b.send(ctx, at[half:], size/2)
	}
	if err != nil {
		return err
	}
	for k, item := range items {
		b.results[at[k]] = item.result()
	}
	return nil
}
