package sqlite

import (
	"context"
	"database/sql"

	"imwatch/event"
	"imwatch/internal/store"
)

// cursor walks the matching documents of one file in order of (ts, id), as they were when it began.
type cursor struct {
	cond condition
	rows *sql.Rows
	e    event.Event
	ts   int64
	hit  store.Hit
}

// openCursor begins at the first match with lo <= ts <= hi. Close it.
func openCursor(ctx context.Context, f *file, cond condition, lo, hi int64) (*cursor, error) {
	where, args := cond.maybe()
	rows, err := f.readers.QueryContext(ctx, "SELECT ts, id, odd, body FROM docs WHERE "+where+
		" AND "+cond.ts+" BETWEEN ? AND ? ORDER BY "+cond.ts+", id", append(args, lo, hi)...)
	if err != nil {
		return nil, err
	}
	return &cursor{cond: cond, rows: rows, hit: store.Hit{Index: f.name}}, nil
}

// next goes to the next match; false at the end.
func (c *cursor) next() (bool, error) {
	for c.rows.Next() {
		var odd bool
		if err := c.rows.Scan(&c.ts, &c.hit.ID, &odd, &c.hit.Body); err != nil {
			return false, err
		}
		if c.cond.where.exact && !odd {
			return true, nil
		}
		if err := store.DecodeDoc(c.hit.Body, &c.e); err != nil {
			return false, err
		}
		if c.cond.match(&c.e) {
			return true, nil
		}
	}
	return false, c.rows.Err()
}

func (c *cursor) less(d *cursor) bool {
	switch {
	case c.ts != d.ts:
		return c.ts < d.ts
	case c.hit.ID != d.hit.ID:
		return c.hit.ID < d.hit.ID
	}
	return c.hit.Index < d.hit.Index
}

// cursors is a heap of cursors that each stand on a match, the least first.
type cursors []*cursor

func (h cursors) Len() int           { return len(h) }
func (h cursors) Less(i, j int) bool { return h[i].less(h[j]) }
func (h cursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)        { *h = append(*h, x.(*cursor)) }
func (h *cursors) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
