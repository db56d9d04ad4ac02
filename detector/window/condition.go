package window

import (
	"fmt"

	"imwatch/detector/rule"
)

// Observation is one event as the condition of one key sees it.
type Observation struct {
	At     int64
	Weight float64 // how many events it stands for
	Reset  bool    // it ends a row instead of adding to it (consecutive)
}

// Look is what a look at a condition shows.
type Look struct {
	Value float64 // the number that is compared
	Holds bool
}

// Condition is what a rule's type remembers of one key. The engine calls it in order of event time: at one instant
// first Enter for each event, in order of id, then Advance if something is due.
type Condition interface {
	// Enter lets leave what leaves at or before the event's instant, takes the event in, and looks.
	Enter(o Observation) Look
	// Advance lets leave what leaves at or before an instant at which no further event enters, and looks.
	Advance(at int64) Look
	// Next gives the instant at which the truth may change next without an event, Never if it cannot.
	Next() int64
	// Since gives the first instant whose events still count at the instant at; Never when none do.
	Since(at int64) int64
	// Expiry gives the instant before whose events the condition has become as new.
	Expiry() int64
	// Encode writes the state; NewCondition of the same rule reads it by Decode.
	Encode(e *Encoder)
	Decode(d *Decoder)
}

// NewCondition gives the maker of a rule's conditions, one for each key. The error is for a type that is not known.
func NewCondition(r *rule.Rule) (func() Condition, error) {
	switch t := r.Detect; {
	case t.Threshold != nil:
		spec := &thresholdSpec{length: int64(t.Threshold.Window), count: t.Threshold.Count}
		spec.everyLeave = t.Threshold.Count.Op != rule.Greater && t.Threshold.Count.Op != rule.GreaterEqual
		return func() Condition { return &threshold{spec: spec} }, nil
	case t.Consecutive != nil:
		spec := &consecutiveSpec{count: int64(t.Consecutive.Count), maxGap: int64(t.Consecutive.MaxGap)}
		return func() Condition { return &consecutive{spec: spec} }, nil
	}
	return nil, fmt.Errorf("rule %s: no evaluator for type %q, there are threshold and consecutive", r.ID, r.Detect.Type)
}

// Span gives how long an event can matter to a rule: how far apart two copies of it may come and still have to be
// known as one.
func Span(r *rule.Rule) int64 {
	longest := r.Detect.Window()
	if c := r.Detect.Consecutive; c != nil {
		longest = max(longest, c.MaxGap)
	}
	return Add(int64(longest), int64(r.Time.Lateness))
}
