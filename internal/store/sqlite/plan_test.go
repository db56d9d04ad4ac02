package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// TestPlans holds SQLite to the indexes that each sort of query is meant to use.
func TestPlans(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), MaxOpenFiles: 1})
	d := benchDoc("1", time.Unix(1795000000, 0))
	put(t, s, d)
	f, err := s.files.acquire(t.Context(), d.Index, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.files.release(f)
	from, to := time.Unix(1794000000, 0), time.Unix(1796000000, 0)
	where := filter.Equal{Field: filter.Field{Name: "user.id", ID: event.FieldUserID}, Value: event.KeywordValue("u")}
	for _, c := range []struct {
		name string
		q    store.Query
		want string
	}{
		{"all", store.Query{}, "docs_ts"},
		{"times", store.Query{From: from, To: to}, "docs_ts"},
		{"times and a condition", store.Query{From: from, To: to, Where: where}, "docs_ts"},
		{"ingested", store.Query{IngestedFrom: from}, "docs_ingested"},
		{"ingested and times", store.Query{IngestedFrom: from, From: from, To: to}, "docs_ingested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cond := conditionOf(c.q)
			text, args := cond.maybe()
			plan := explain(t, f, fmt.Sprintf("SELECT ts, id, odd, body FROM docs WHERE %s AND %s BETWEEN ? AND ? ORDER BY %s, id", text, cond.ts, cond.ts), append(args, 0, 1)...)
			if !strings.Contains(plan, "USING INDEX "+c.want) {
				t.Errorf("the plan is\n%s\nwant %s", plan, c.want)
			}
		})
	}
}

func explain(t *testing.T, f *file, query string, args ...any) string {
	t.Helper()
	rows, err := f.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var a, b, c int
		var line string
		if err := rows.Scan(&a, &b, &c, &line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	return plan.String()
}
