package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"imwatch/event"
	"imwatch/internal/store"
)

// Count gives the number of matching documents.
func (s *Store) Count(ctx context.Context, q store.Query) (int64, error) {
	done := s.metrics.Observe("count")
	n, err := s.count(ctx, q)
	done(err)
	return n, failure(ctx, "counting in "+q.Indices, err)
}

func (s *Store) count(ctx context.Context, q store.Query) (total int64, err error) {
	cond := conditionOf(q)
	err = s.eachFile(ctx, q.Indices, func(f *file) error {
		if !cond.where.exact {
			return f.eachDecoded(ctx, cond, false, func(*event.Event) { total++ })
		}
		where, args := cond.surely()
		var n int64
		if err := f.readers.QueryRowContext(ctx, "SELECT count(*) FROM docs WHERE "+where, args...).Scan(&n); err != nil {
			return err
		}
		total += n
		return f.eachDecoded(ctx, cond, true, func(*event.Event) { total++ })
	})
	return total, err
}

// eachDecoded calls do with the matching documents, decoded; onlyOdd leaves out those that SQL alone can judge.
func (f *file) eachDecoded(ctx context.Context, cond condition, onlyOdd bool, do func(*event.Event)) error {
	where, args := cond.maybe()
	if onlyOdd {
		where, args = cond.ofOdd()
	}
	rows, err := f.readers.QueryContext(ctx, "SELECT body FROM docs WHERE "+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var body sql.RawBytes
	var e event.Event
	for rows.Next() {
		if err := rows.Scan(&body); err != nil {
			return err
		}
		if err := store.DecodeDoc(body, &e); err != nil {
			return fmt.Errorf("reading a document back: %w", err)
		}
		if cond.match(&e) {
			do(&e)
		}
	}
	return rows.Err()
}
