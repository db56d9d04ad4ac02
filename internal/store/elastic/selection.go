package elastic

import (
	"math"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// selection is a query as the server is asked. Every match of it is a match of wide. Where exact holds, every match
// of sure is one too, and what wide has beside sure is a rest, mostly empty, to be judged document by document.
type selection struct {
	indices []string
	wide    obj
	sure    obj
	rest    obj
	exact   bool // else nothing is sure
	match   func(*event.Event) bool
}

func selectionOf(q store.Query) selection {
	where := render(q.Where)
	wide := []obj{}
	sure := []obj{}
	for _, r := range []struct {
		field    string
		from, to time.Time
	}{{"@timestamp", q.From, q.To}, {"event.ingested", q.IngestedFrom, time.Time{}}} {
		if !r.from.IsZero() || !r.to.IsZero() {
			wide = append(wide, widened(r.field, r.from, r.to))
			sure = append(sure, narrowed(r.field, r.from, r.to))
		}
	}
	ignored := obj{"exists": obj{"field": "_ignored"}}
	if !isAll(where.dsl) {
		// A value that was too long to be indexed may satisfy the condition, or its negation wrongly.
		wide = append(wide, obj{"bool": obj{"should": []obj{where.dsl, ignored}, "minimum_should_match": 1}})
		sure = append(sure, where.dsl)
	}
	s := selection{indices: targets(q.Indices), exact: where.exact, match: q.Match()}
	s.wide = obj{"bool": obj{"filter": wide}}
	s.sure = obj{"bool": obj{"filter": sure, "must_not": []obj{ignored}}}
	s.rest = obj{"bool": obj{"filter": wide, "must_not": []obj{s.sure}}}
	return s
}

// widened matches all instants of [from, to), and others of the milliseconds at its ends.
func widened(field string, from, to time.Time) obj {
	r := obj{}
	if ns := nanos(from); !from.IsZero() && ns != math.MinInt64 {
		r["gte"] = millis(floorMilli(ns))
	}
	if ns := nanos(to); !to.IsZero() && ns != math.MaxInt64 {
		r["lt"] = millis(ceilMilli(ns))
	}
	return obj{"range": obj{field: r}}
}

// narrowed matches only instants of [from, to).
func narrowed(field string, from, to time.Time) obj {
	r := obj{}
	if ns := nanos(from); !from.IsZero() && ns != math.MinInt64 {
		r["gte"] = millis(ceilMilli(ns))
	}
	if ns := nanos(to); !to.IsZero() && ns != math.MaxInt64 {
		r["lt"] = millis(floorMilli(ns))
	}
	return obj{"range": obj{field: r}}
}

// nanos is UnixNano, with the ends of its range for what is beyond: no event is there.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

const milli = int64(time.Millisecond)

func floorMilli(ns int64) int64 { return ns - (ns%milli+milli)%milli }

func ceilMilli(ns int64) int64 {
	if floor := floorMilli(ns); floor != ns {
		return floor + milli
	}
	return ns
}

// millis prints whole milliseconds as the mapping's format reads them.
func millis(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z") }

// groupable says whether the server can group by a field exactly: it keeps dates in milliseconds, floats in 32 bits,
// and words of texts.
func groupable(by []filter.Field, interval time.Duration) bool {
	for _, f := range by {
		switch typeOf(f) {
		case event.Keyword, event.Long, event.Bool, event.IP:
		default:
			return false
		}
	}
	return interval%time.Millisecond == 0
}
