package sqlite

import (
	"math"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// condition is what a query asks of one file: a clause for SQL, and the whole for what SQL leaves open.
type condition struct {
	from, to int64  // half-open, nanoseconds
	timed    bool   // a range is asked for; documents without @timestamp are in none
	ts       string // the column of times, or an expression that keeps SQLite from reading by its index
	times    clause // on ts and ingested; always exact, odd documents included, but for lists of times
	where    clause
	match    func(*event.Event) bool
}

func conditionOf(q store.Query) condition {
	c := condition{from: math.MinInt64, to: math.MaxInt64, where: render(q.Where), match: filter.Compile(q.Where)}
	c.timed = !q.From.IsZero() || !q.To.IsZero()
	if !q.From.IsZero() {
		c.from = nanos(q.From)
	}
	if !q.To.IsZero() {
		c.to = nanos(q.To)
	}
	c.ts, c.times = "ts", clause{sql: "1", exact: true}
	if !q.IngestedFrom.IsZero() {
		// What has come lately is little, of whatever time it is.
		c.ts, c.times = "+ts", clause{"ingested >= ?", []any{nanos(q.IngestedFrom)}, true}
	}
	if c.timed {
		c.times.sql += " AND " + c.ts + " >= ? AND " + c.ts + " < ?"
		c.times.args = append(c.times.args, c.from, c.to)
	}
	return c
}

// maybe is the condition in SQL for all documents that can match, and its values.
func (c condition) maybe() (string, []any) {
	return c.times.sql + " AND (odd OR " + c.where.sql + ")", append(append([]any(nil), c.times.args...), c.where.args...)
}

// surely is the condition in SQL for the documents that are not odd, to be used where c.where is exact.
func (c condition) surely() (string, []any) {
	return c.times.sql + " AND NOT odd AND " + c.where.sql, append(append([]any(nil), c.times.args...), c.where.args...)
}

// ofOdd is the condition in SQL for the odd documents that can match.
func (c condition) ofOdd() (string, []any) {
	return c.times.sql + " AND odd", c.times.args
}

// nanos is UnixNano with the ends of the range for what does not fit.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}
