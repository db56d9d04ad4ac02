package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// candidates gives the keys that can satisfy the condition within (done, to], and those of which something is open.
func (e *Evaluator) candidates(ctx context.Context, to int64, open map[string]bool, cost *Cost) (*keyset, error) {
	keys := &keyset{fields: e.rule.GroupBy, wanted: map[string]bool{}, cache: map[string]bool{}}
	looked := map[string]bool{}
	var passed map[string]bool
	for i := range e.filter.parts {
		p := &e.filter.parts[i]
		q := e.query(p.where, max(e.floor, window.Add(e.done, 1-p.back)), to)
		if p.signed != nil {
			if negative, err := e.negative(ctx, q, p.signed); err != nil || negative {
				return &keyset{}, err // a part can be more than the whole
			}
		}
		found, err := e.passing(ctx, p, q, looked)
		if err != nil {
			return nil, err
		}
		switch {
		case i == 0:
			passed = found
		case e.filter.any:
			for key := range found {
				passed[key] = true
			}
		default:
			for key := range passed {
				if !found[key] {
					delete(passed, key)
				}
			}
		}
		if len(passed) == 0 && !e.filter.any {
			break
		}
	}
	for key := range open {
		keys.wanted[canonical(key, keys.fields)] = true
	}
	for key := range passed {
		keys.wanted[key] = true
	}
	cost.Keys += len(looked)
	cost.Candidates += len(keys.wanted)
	return keys, nil
}

// passing gives the keys with two neighbouring buckets that can satisfy a part even together.
func (e *Evaluator) passing(ctx context.Context, p *part, q store.Query, looked map[string]bool) (map[string]bool, error) {
	by := e.rule.GroupBy
	if p.value != nil {
		by = append(slices.Clip(by), *p.value)
	}
	sums := map[string]map[int64]float64{}
	for b, err := range e.reader.Aggregate(ctx, q, by, p.length) {
		if err != nil {
			return nil, fmt.Errorf("counting by key: %w", err)
		}
		key, at, err := e.bucket(b, len(by))
		if err != nil {
			return nil, err
		}
		looked[key] = true
		if sums[key] == nil {
			sums[key] = map[int64]float64{}
		}
		switch {
		case p.value != nil && b.Absent[len(by)-1]: // no value
		case p.value != nil:
			sums[key][at]++
		case p.count:
			sums[key][at] += float64(b.Count)
		default:
			sums[key][at] += b.Weight
		}
	}
	passed := map[string]bool{}
	for key, buckets := range sums {
		for at, sum := range buckets {
			if p.possible(sum + buckets[at+int64(p.length)]) {
				passed[key] = true
				break
			}
		}
	}
	return passed, nil
}

// negative says whether there are weights below zero among some events in the time of a query.
func (e *Evaluator) negative(ctx context.Context, q store.Query, where filter.Expr) (bool, error) {
	weight := event.FieldByID(event.FieldSampleWeight)
	zero := event.FloatValue(0)
	q.Where = filter.And{where, filter.Range{Field: filter.Field{Name: weight.Name, ID: weight.ID, Type: weight.Type}, To: &zero}}
	n, err := e.reader.Count(ctx, q)
	if err != nil {
		return false, fmt.Errorf("looking for negative weights: %w", err)
	}
	return n > 0, nil
}

// bucket gives key and beginning of a group by n fields, of which those of group_by make the key.
func (e *Evaluator) bucket(b store.Bucket, n int) (string, int64, error) {
	if len(b.Key) != n+1 {
		return "", 0, fmt.Errorf("counting by key: the store gave %d values, expected %d", len(b.Key), n+1)
	}
	at, err := time.Parse(time.RFC3339Nano, b.Key[n])
	if err != nil {
		return "", 0, fmt.Errorf("counting by key: %w", err)
	}
	parts := make([]engine.Part, len(e.rule.GroupBy))
	for i := range parts {
		parts[i] = engine.Part{Text: b.Key[i], Missing: b.Absent[i]}
	}
	return engine.MakeKey(parts), at.UnixNano(), nil
}

// query asks for events in [from, to].
func (e *Evaluator) query(where filter.Expr, from, to int64) store.Query {
	return store.Query{
		Indices: e.options.Indices, From: time.Unix(0, from).UTC(), To: time.Unix(0, window.Add(to, 1)).UTC(), Where: where,
	}
}
