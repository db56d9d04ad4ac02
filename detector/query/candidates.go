package query

import (
	"context"
	"fmt"
	"math"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// condition is what of a rule decides which documents are asked for.
type condition struct {
	where  filter.Expr // of the events that the rule takes
	fields []filter.Field
	length time.Duration // of the window; 0: the aggregation cannot rule out keys
	count  rule.Comparison
}

func conditionOf(r *rule.Rule) condition {
	c := condition{where: r.Where, fields: r.GroupBy}
	if k, err := window.NewKind(r); err == nil {
		c.where = k.Selects
	}
	if t := r.Detect.Threshold; t != nil && t.Count.Op != rule.NotEqual && (t.Count.Limit > 0 || t.Count.Op == rule.Greater && t.Count.Limit == 0) {
		c.length, c.count = t.Window.Duration, t.Count
	}
	for _, f := range r.GroupBy {
		if f.Type == event.Text || f.Type == event.GeoPoint || f.Type == event.Flattened {
			c.length = 0 // stores do not compare such values as a whole
		}
	}
	return c
}

// possible says whether a window whose events are among some with this sum of weights can satisfy the condition.
func (c *condition) possible(sum float64) bool {
	sum += 1e-9 * (1 + math.Abs(sum)) // the store adds fractions in another order
	if c.count.Op == rule.Greater {
		return sum > c.count.Limit
	}
	return sum >= c.count.Limit // >= and ==: there are no negative weights
}

// keyset is the keys that a run looks at. The zero keyset means all of them.
type keyset struct {
	fields []filter.Field
	wanted map[string]bool // canonical
	cache  map[string]bool // by key as the engine writes it
}

func (k *keyset) all() bool { return k.wanted == nil }

func (k *keyset) has(key string) bool {
	if k.all() {
		return true
	}
	in, known := k.cache[key]
	if !known {
		in = k.wanted[canonical(key, k.fields)]
		k.cache[key] = in
	}
	return in
}

func (k *keyset) keep() func(string) bool {
	if k.all() {
		return nil
	}
	return k.has
}

// canonical writes a key as the store prints its values: one text for one value, however a line spelt it.
func canonical(key string, fields []filter.Field) string {
	parts, ok := engine.SplitKey(key, len(fields))
	if !ok {
		return key
	}
	for i := range parts {
		if v, ok := event.Parse(fields[i].Type, parts[i].Text); ok && !parts[i].Missing {
			parts[i].Text = store.KeyText(v)
		}
	}
	return engine.MakeKey(parts)
}

// candidates gives the keys that can satisfy the condition within (done, to], and those that have state.
func (e *Evaluator) candidates(ctx context.Context, to int64, had map[string]bool, cost *Cost) (*keyset, error) {
	if e.where.length == 0 {
		return &keyset{}, nil
	}
	q := e.query(max(e.floor, window.Add(e.done, 1-int64(e.where.length))), to)
	if negative, err := e.negative(ctx, q); err != nil || negative {
		return &keyset{}, err
	}
	keys := &keyset{fields: e.where.fields, wanted: map[string]bool{}, cache: map[string]bool{}}
	for key := range had {
		keys.wanted[canonical(key, keys.fields)] = true
	}
	sums := map[string]map[int64]float64{}
	for b, err := range e.reader.Aggregate(ctx, q, e.where.fields, e.where.length) {
		if err != nil {
			return nil, fmt.Errorf("counting by key: %w", err)
		}
		key, at, err := e.bucket(b)
		if err != nil {
			return nil, err
		}
		if sums[key] == nil {
			sums[key] = map[int64]float64{}
		}
		sums[key][at] += b.Weight
	}
	cost.Keys += len(sums)
	for key, buckets := range sums {
		for at, sum := range buckets {
			if e.where.possible(sum + buckets[at+int64(e.where.length)]) {
				keys.wanted[key] = true
			}
		}
	}
	cost.Candidates += len(keys.wanted)
	return keys, nil
}

// negative says whether there are weights below zero: with them a part can be more than the whole.
func (e *Evaluator) negative(ctx context.Context, q store.Query) (bool, error) {
	weight := event.FieldByID(event.FieldSampleWeight)
	zero := event.FloatValue(0)
	q.Where = filter.And{q.Where, filter.Range{Field: filter.Field{Name: weight.Name, ID: weight.ID, Type: weight.Type}, To: &zero}}
	n, err := e.reader.Count(ctx, q)
	if err != nil {
		return false, fmt.Errorf("looking for negative weights: %w", err)
	}
	return n > 0, nil
}

// bucket gives key and beginning of a group.
func (e *Evaluator) bucket(b store.Bucket) (string, int64, error) {
	n := len(e.where.fields)
	if len(b.Key) != n+1 {
		return "", 0, fmt.Errorf("counting by key: the store gave %d values, expected %d", len(b.Key), n+1)
	}
	at, err := time.Parse(time.RFC3339Nano, b.Key[n])
	if err != nil {
		return "", 0, fmt.Errorf("counting by key: %w", err)
	}
	parts := make([]engine.Part, n)
	for i := range parts {
		parts[i] = engine.Part{Text: b.Key[i], Missing: b.Absent[i]}
	}
	return engine.MakeKey(parts), at.UnixNano(), nil
}

// query asks for the rule's events in [from, to].
func (e *Evaluator) query(from, to int64) store.Query {
	return store.Query{
		Indices: e.options.Indices, From: time.Unix(0, from).UTC(), To: time.Unix(0, window.Add(to, 1)).UTC(), Where: e.where.where,
	}
}
