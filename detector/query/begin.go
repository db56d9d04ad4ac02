package query

import (
	"context"
	"fmt"

	"imwatch/detector/engine"
	"imwatch/detector/window"
	"imwatch/event"
)

// named says whether the rule names keys that are expected, from the stream's start on.
func (e *Evaluator) named() bool {
	a := e.rule.Detect.Absence
	return a != nil && a.Expect.Learn == 0
}

// begin tells the engine where the stream begins: with the first event of all, whatever the rule matches.
func (e *Evaluator) begin(ctx context.Context, to int64, cost *Cost) error {
	if !e.named() || e.engine.Start() != window.Never {
		return nil
	}
	for hit, err := range e.reader.Search(ctx, e.query(nil, e.floor, to)) {
		if err != nil {
			return fmt.Errorf("looking for the first event: %w", err)
		}
		cost.Events++
		var ev event.Event
		if hit.Decode(&ev) == nil && !ev.IsWatermark() {
			e.engine.Begin(ev.UnixNano())
			return nil
		}
	}
	return nil
}

// beginAnew lets an engine that evaluates from an instant on expect the keys from there, or from the stream's start.
func (e *Evaluator) beginAnew(fresh *engine.Engine, from int64) {
	if e.named() {
		fresh.Begin(max(from, e.engine.Start()))
	}
}
