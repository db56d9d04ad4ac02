package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Aggregate yields every group. All groups are held in memory.
func (s *Store) Aggregate(ctx context.Context, q store.Query, by []filter.Field, interval time.Duration) iter.Seq2[store.Bucket, error] {
	return func(yield func(store.Bucket, error) bool) {
		done := s.metrics.Observe("aggregate")
		groups, err := s.aggregate(ctx, q, by, interval)
		done(err)
		if err != nil {
			yield(store.Bucket{}, failure(ctx, "aggregating "+q.Indices, err))
			return
		}
		for _, b := range groups.All() {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (s *Store) aggregate(ctx context.Context, q store.Query, by []filter.Field, interval time.Duration) (*store.Groups, error) {
	cond := conditionOf(q)
	groups := store.NewGroups(by, interval)
	columns, inSQL := groupColumns(by, interval)
	inSQL = inSQL && cond.where.exact
	err := s.eachFile(ctx, q.Indices, func(f *file) error {
		if inSQL {
			if err := f.group(ctx, cond, columns, interval > 0, groups); err != nil {
				return err
			}
		}
		return f.eachDecoded(ctx, cond, inSQL, groups.Add)
	})
	return groups, err
}

// groupColumns gives the expressions by which SQL can group, if it can.
func groupColumns(by []filter.Field, interval time.Duration) ([]string, bool) {
	var cols []string
	for _, f := range by {
		col := columnOf(f)
		if col == "" || event.FieldByID(f.ID).Type == event.Date {
			return nil, false
		}
		cols = append(cols, col)
	}
	if interval > 0 {
		i := strconv.FormatInt(int64(interval), 10)
		// The remainder of SQL has the sign of its first operand.
		cols = append(cols, fmt.Sprintf("CASE WHEN ts <> %d THEN ts - (ts %% %s + %s) %% %s END", int64(absent), i, i, i))
	}
	return cols, true
}

// group adds the groups of the documents that are not odd.
func (f *file) group(ctx context.Context, cond condition, columns []string, timed bool, groups *store.Groups) error {
	where, args := cond.surely()
	list := strings.Join(append(slices.Clip(columns), "count(*)", "total(weight)"), ", ")
	query := "SELECT " + list + " FROM docs WHERE " + where
	if len(columns) > 0 {
		query += " GROUP BY " + strings.Join(columns, ", ")
	}
	rows, err := f.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	keys := make([]sql.NullString, len(columns))
	var b store.Bucket
	into := make([]any, 0, len(columns)+2)
	for i := range keys {
		into = append(into, &keys[i])
	}
	into = append(into, &b.Count, &b.Weight)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if b.Count == 0 {
			continue // without columns SQL gives one row for nothing
		}
		b.Key, b.Absent = make([]string, len(keys)), make([]bool, len(keys))
		for i, k := range keys {
			b.Key[i], b.Absent[i] = k.String, !k.Valid
		}
		if last := len(keys) - 1; timed && keys[last].Valid {
			ns, err := strconv.ParseInt(keys[last].String, 10, 64)
			if err != nil {
				return fmt.Errorf("reading a group's time: %w", err)
			}
			b.Key[last] = event.FormatTime(time.Unix(0, ns))
		}
		groups.Merge(b)
	}
	return rows.Err()
}
