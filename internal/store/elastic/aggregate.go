package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Aggregate yields every group, from composite aggregations page by page. The few documents of which the server does
// not know enough are grouped here; where they are many (a condition that is not exact, fields that it cannot group
// by) that takes as long as a Search.
func (s *Store) Aggregate(ctx context.Context, q store.Query, by []filter.Field, interval time.Duration) iter.Seq2[store.Bucket, error] {
	return func(yield func(store.Bucket, error) bool) {
		done := s.metrics.Observe("aggregate")
		groups, err := s.aggregate(ctx, q, by, interval)
		done(err)
		if err != nil {
			yield(store.Bucket{}, fmt.Errorf("aggregating %s: %w", q.Indices, err))
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
	sel := selectionOf(q)
	groups := store.NewGroups(by, interval)
	err := s.asking(ctx, sel, func(p *pit) error {
		rest := sel.wide
		if sel.exact && groupable(by, interval) {
			rest = sel.rest
			if err := p.group(ctx, sel.sure, by, interval, groups); err != nil {
				return err
			}
		}
		return s.judged(ctx, p, rest, sel, func(_ hit, e *event.Event) error {
			if e == nil {
				e = &event.Event{}
			}
			groups.Add(e)
			return nil
		})
	})
	return groups, err
}

// groupsPage is one page of a composite aggregation.
type groupsPage struct {
	AfterKey json.RawMessage `json:"after_key"`
	Buckets  []struct {
		Key    map[string]any
		Count  int64 `json:"doc_count"`
		Weight struct{ Value float64 }
	}
}

// UnmarshalJSON keeps integers exact, which as float64 they would not be.
func (g *groupsPage) UnmarshalJSON(b []byte) error {
	type plain groupsPage
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return dec.Decode((*plain)(g))
}

// group adds the groups of the documents that query matches.
func (p *pit) group(ctx context.Context, query obj, by []filter.Field, interval time.Duration, groups *store.Groups) error {
	weight := obj{"weight": obj{"sum": obj{"field": "im.sample.weight", "missing": 1}}}
	sources := sourcesOf(by, interval)
	if len(sources) == 0 {
		got, err := p.search(ctx, obj{"query": query, "size": 0, "track_total_hits": true, "aggs": weight})
		if err == nil && got.Hits.Total.Value > 0 {
			groups.Merge(store.Bucket{Count: got.Hits.Total.Value, Weight: got.Aggregations.Weight.Value})
		}
		return err
	}
	composite := obj{"size": pageSize, "sources": sources}
	body := obj{
		"query": query, "size": 0, "track_total_hits": false,
		"aggs": obj{"groups": obj{"composite": composite, "aggs": weight}},
	}
	for {
		got, err := p.search(ctx, body)
		if err != nil {
			return err
		}
		page := got.Aggregations.Groups
		for _, b := range page.Buckets {
			bucket := store.Bucket{Count: b.Count, Weight: b.Weight.Value}
			for i := range sources {
				text, err := keyText(b.Key[sourceName(i)], i == len(by))
				if err != nil {
					return err
				}
				bucket.Key, bucket.Absent = append(bucket.Key, text), append(bucket.Absent, b.Key[sourceName(i)] == nil)
			}
			groups.Merge(bucket)
		}
		if len(page.AfterKey) == 0 {
			return nil
		}
		composite["after"] = page.AfterKey
	}
}

func sourceName(i int) string { return "k" + strconv.Itoa(i) }

// sourcesOf makes the sources of a composite aggregation, the interval last.
func sourcesOf(by []filter.Field, interval time.Duration) []obj {
	var sources []obj
	for i, f := range by {
		sources = append(sources, obj{sourceName(i): obj{"terms": obj{"field": f.Name, "missing_bucket": true}}})
	}
	if interval > 0 {
		step := strconv.FormatInt(interval.Milliseconds(), 10) + "ms"
		sources = append(sources, obj{sourceName(len(by)): obj{"date_histogram": obj{
			"field": "@timestamp", "fixed_interval": step, "missing_bucket": true,
		}}})
	}
	return sources
}

// keyText prints one part of a key as store.KeyText does; time says that it is milliseconds since 1970.
func keyText(v any, isTime bool) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		if !isTime {
			return v.String(), nil
		}
		ms, err := v.Int64()
		return event.FormatTime(time.UnixMilli(ms)), err
	}
	return "", fmt.Errorf("reading a group: found a key of %T", v)
}
