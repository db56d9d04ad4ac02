package window

import (
	"fmt"
	"time"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// Sight is what a rule sees of an event that it has a use for.
type Sight struct {
	Bits    uint32 // by type: the condition of a ratio, the steps of a sequence that match, a resetting event
	Passive bool   // needs no state of its own and is no evidence: it only ends what others began
	Follows bool   // needs no state of its own: it only goes on with what others began, and is evidence of it then
	Extra   *Extra // nil where the type needs nothing further
}

// Extra is what some types take of an event beyond instant, weight and bits. It belongs to who gets it.
type Extra struct {
	Numbers []float64
	Texts   []string
	Hashes  []uint64
}

// Kind is what the type of a rule is made of.
type Kind struct {
	// New makes the condition of one key.
	New func() Condition
	// See says what the rule takes of an event, false when it has no use for it. The event is not kept.
	See func(ev *event.Event) (Sight, bool)
	// Selects is true for every event that See has a use for: what others may look for beforehand.
	Selects filter.Expr
	// Span is how long an event can matter, lateness not included.
	Span int64
	// Lookback is how long before an instant the events lie that decide what holds then, at least Span: what has to be
	// read to begin in the middle.
	Lookback int64
	// Instant: it holds at instants only, so what it raises has last held when it fired.
	Instant bool
	// Values: the last part of a key, beside those of group_by, is a value of the event.
	Values bool
	// Warms, with Values: for every event of a key of group_by its own condition is asked first, by the bit OfKey; while
	// it holds, those of the values are told so by the bit Warming.
	Warms bool
	// Sharing is how keys past limits.keys share a sketch; nil where the type has no use for one.
	Sharing *Sharing
}

// NewKind gives what a rule's type is made of. The error is for a type that is not known.
func NewKind(r *rule.Rule) (Kind, error) {
	k := Kind{Selects: r.Where, Span: int64(r.Detect.Window()), Instant: r.Detect.Instant()}
	switch t := r.Detect; {
	case t.Threshold != nil:
		newThreshold(t.Threshold, &k)
	case t.Ratio != nil:
		newRatio(r, &k)
	case t.Metric != nil:
		newMetric(r, &k)
	case t.Cardinality != nil:
		newCardinality(r, &k)
	case t.Spike != nil:
		newSpike(t.Spike, &k)
	case t.Consecutive != nil:
		newConsecutive(r, &k)
	case t.Sequence != nil:
		newSequence(r, &k)
	case t.Travel != nil:
		newTravel(r, &k)
	case t.NewTerm != nil:
		newNewTerm(r, &k)
	case t.Absence != nil:
		newAbsence(t.Absence, &k)
	case t.Anomaly != nil:
		newAnomaly(r, &k)
	default:
		return k, fmt.Errorf("rule %s: no evaluator for type %q", r.ID, r.Detect.Type)
	}
	k.Lookback = max(k.Lookback, k.Span)
	if k.See == nil {
		where := filter.Compile(r.Where)
		k.See = func(ev *event.Event) (Sight, bool) { return Sight{}, where(ev) }
	}
	return k, nil
}

// Span gives for how long the ids of a rule's events must be known: how far apart two copies of one may come and still
// count once. Types that remember what they have seen for days hold it for an hour only: a copy has the instant of the
// first one, so by then it is late.
func Span(r *rule.Rule) int64 {
	k, err := NewKind(r)
	if err != nil {
		return int64(r.Time.Lateness)
	}
	span := k.Span
	if r.Detect.NewTerm != nil || r.Detect.Travel != nil {
		span = min(span, int64(time.Hour))
	}
	return Add(span, int64(r.Time.Lateness))
}
