package backtest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/query"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/internal/store"
)

// Store runs rules over the events that a store holds. They are read in order of event time, so none is late.
func Store(ctx context.Context, reader store.Reader, o Options) (*Summary, error) {
	began := time.Now()
	r, err := newRun(o, "store")
	if err != nil {
		return newSummary("store"), err
	}
	if o.Query {
		err = r.query(ctx, reader)
	} else {
		err = r.store(ctx, reader)
	}
	r.summary.Took = time.Since(began)
	return r.summary, err
}

// store reads all events and evaluates them as they come.
func (r *run) store(ctx context.Context, reader store.Reader) error {
	q := store.Query{Indices: event.EventIndices, From: r.options.From, To: r.options.To}
	var ev event.Event
	n := 0
	for hit, err := range reader.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		if err := hit.Decode(&ev); err != nil {
			r.summary.bad(hit.Index+" "+hit.ID, err)
			continue
		}
		if ev.ID() == "" {
			ev.SetText(event.FieldEventID, hit.ID)
		}
		if ev.IsWatermark() {
			continue
		}
		r.summary.count(r.engine.Take(&ev, nil))
		if r.against != nil {
			r.against.Take(&ev, nil)
		}
		if n++; n%batchSize == 0 {
			if r.against != nil {
				r.had = append(r.had, r.against.AdvanceTo(ev.UnixNano())...)
			}
			if err := r.write(r.engine.AdvanceTo(ev.UnixNano()), r.engine.Watermark()); err != nil {
				return err
			}
		}
	}
	return r.finish()
}

// fileQuery reads a whole file into memory and evaluates it as the query evaluator would a store.
func fileQuery(ctx context.Context, src io.Reader, name string, o Options) (*Summary, error) {
	began := time.Now()
	r, err := newRun(o, name)
	if err != nil {
		return newSummary(name), err
	}
	var events []*event.Event
	err = eachLine(ctx, src, r.summary, func(batch []event.Event) error {
		for i := range batch {
			if batch[i].IsWatermark() {
				r.summary.Watermarks++
				continue
			}
			r.summary.Events++
			events = append(events, batch[i].Clone())
		}
		return nil
	})
	if err == nil {
		err = r.query(ctx, NewMemory(events))
	}
	r.summary.Took = time.Since(began)
	return r.summary, err
}

// query runs the query evaluator of each rule.
func (r *run) query(ctx context.Context, reader store.Reader) error {
	from, last, err := bounds(ctx, reader, r.options)
	if err != nil {
		return err
	}
	if from.IsZero() {
		return r.close()
	}
	alerts, costs, err := evaluate(ctx, reader, r.options.Rules, from, last, r.summary.fault)
	if err != nil {
		return err
	}
	r.summary.Costs = costs
	if r.options.Against != nil {
		if r.had, _, err = evaluate(ctx, reader, r.options.Against, from, last, nil); err != nil {
			return fmt.Errorf("evaluating %s: %w", r.options.AgainstName, err)
		}
	}
	if err := r.write(alerts, never); err != nil {
		return err
	}
	return r.close()
}

// evaluate runs the query evaluator of rules over one span.
func evaluate(ctx context.Context, reader store.Reader, rules []*rule.Rule, from, last time.Time, fault func(error)) ([]*event.Alert, []RuleCost, error) {
	var alerts []*event.Alert
	var costs []RuleCost
	for _, ru := range running(rules) {
		q, err := query.New(ru, reader, query.Options{From: from, Fault: fault})
		if err != nil {
			return nil, nil, err
		}
		found, cost, err := q.Run(ctx, last, last)
		if err != nil {
			return nil, nil, err
		}
		costs = append(costs, RuleCost{ru.ID, cost})
		alerts = append(alerts, found...)
	}
	slices.SortStableFunc(alerts, engine.Order)
	return alerts, costs, nil
}

// bounds gives the first instant to evaluate and the last: what the options say, else those of the events.
func bounds(ctx context.Context, reader store.Reader, o Options) (first, last time.Time, err error) {
	if !o.From.IsZero() && !o.To.IsZero() {
		return o.From, o.To, nil
	}
	q := store.Query{Indices: event.EventIndices, From: o.From, To: o.To}
	var low, high time.Time
	for b, err := range reader.Aggregate(ctx, q, nil, time.Hour) {
		if err != nil {
			return first, last, fmt.Errorf("asking for the span of the events: %w", err)
		}
		at, err := time.Parse(time.RFC3339Nano, b.Key[0])
		if err != nil {
			return first, last, fmt.Errorf("asking for the span of the events: %w", err)
		}
		if low.IsZero() || at.Before(low) {
			low = at
		}
		if at.After(high) {
			high = at
		}
	}
	first, last = low, o.To
	if !o.From.IsZero() {
		first = o.From
	}
	if low.IsZero() || !o.To.IsZero() {
		return first, last, nil
	}
	q.From = latest(q.From, high)
	for hit, err := range reader.Search(ctx, q) {
		var ev event.Event
		if err == nil {
			err = hit.Decode(&ev)
		}
		if err != nil {
			return first, last, fmt.Errorf("asking for the last event: %w", err)
		}
		last = ev.Time()
	}
	return first, last, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
