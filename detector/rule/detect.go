package rule

import (
	"slices"
	"time"

	"imwatch/event/filter"
)

// The types of detection.
const (
	TypeThreshold   = "threshold"
	TypeRatio       = "ratio"
	TypeMetric      = "metric"
	TypeCardinality = "cardinality"
	TypeSpike       = "spike"
	TypeAbsence     = "absence"
	TypeNewTerm     = "new_term"
	TypeConsecutive = "consecutive"
	TypeSequence    = "sequence"
	TypeTravel      = "travel"
	TypeAnomaly     = "anomaly"
)

// Detect says what a rule looks for. Type names it, and exactly the part of that name is set.
type Detect struct {
	Type        string
	Threshold   *Threshold
	Ratio       *Ratio
	Metric      *Metric
	Cardinality *Cardinality
	Spike       *Spike
	Absence     *Absence
	NewTerm     *NewTerm
	Consecutive *Consecutive
	Sequence    *Sequence
	Travel      *Travel
	Anomaly     *Anomaly
}

// Length is a duration and how it was written.
type Length struct {
	time.Duration
	Text string
}

// Threshold is true while the sum of the weights of the matching events in the window satisfies Count.
type Threshold struct {
	Count  Comparison
	Window Length // sliding, (t − Window, t]
}

// Ratio is true while the share of the window's weight that matches Of satisfies Is.
type Ratio struct {
	Of       filter.Expr
	OfText   string
	Is       Comparison // of a fraction from 0 to 1
	Window   Length
	MinTotal float64 // below this weight in the window it is not true; default 1
}

// Metric is true while an aggregate of a field's values over the window satisfies Is.
type Metric struct {
	Field    filter.Field // long or float
	Agg      Agg
	Is       Comparison // in the unit of the field
	Window   Length
	MinCount float64 // below this weight of events with a value it is not true; default 1
}

// Cardinality is true while the number of distinct values of a field over the window satisfies Is.
type Cardinality struct {
	Field  filter.Field
	Is     Comparison
	Window Length
}

// The directions in which a key may differ from its own past.
const (
	DirectionUp   = "up"
	DirectionDown = "down"
	DirectionBoth = "both"
)

// Spike compares the window with the baseline before it, (t − Window − Baseline, t − Window], scaled to one window.
type Spike struct {
	Window    Length
	Baseline  Length
	Factor    float64 // above 1
	MinCount  float64 // up: of now; down: of the usual; default 1
	Direction string  // default up
}

// Absence is true from when an expected key has had no event for Window until its next one.
type Absence struct {
	Window Length
	Expect Expected
}

// NewTerm is true at an event with a value of Field that its key had not within History.
type NewTerm struct {
	Field   filter.Field
	History Length
	Warmup  time.Duration // after the key's first event, in which nothing is new; default 0
}

// Consecutive is true from the Count-th matching event in a row until a resetting one, or until MaxGap after the last.
type Consecutive struct {
	Count     int
	Reset     filter.Expr // tried on all events of the key, wins over Where; nil: nothing resets
	ResetText string
	MaxGap    time.Duration // default 10m; a gap of exactly this does not break the row
}

// Sequence is true when its steps have happened in order within Within of the first event, or, where the last step is
// a Not, when that time has passed without it.
type Sequence struct {
	Steps  []Step
	Within Length // closed; from the chain's first event
}

// Step is one step of a sequence.
type Step struct {
	ID        string // "" where the rule gives none
	Where     filter.Expr
	WhereText string
	Times     int  // at least this many; default 1
	Not       bool // must not happen between its neighbours, or last, until the end
}

// Travel is true at an event in a place that nobody can have reached from the place of the event before.
type Travel struct {
	MaxKmh     float64
	MinKm      float64
	Ignore     filter.Expr // what it matches is as if absent; nil: nothing
	IgnoreText string
}

// Anomaly is true from the end of a bucket whose value is unlike that of the key's buckets before, until the end of
// one that is not.
type Anomaly struct {
	Field     filter.Field // Name "": the value is the count, the sum of the weights
	Agg       Agg          // of Field
	Bucket    Length       // aligned with 1970
	Season    Length       // a whole number of buckets; 0: no season, the last buckets are compared with
	Score     Comparison   // > or >=
	Direction string       // default up
}

// Instant says whether the type is true at instants only and for no time: what it raises has last held when it fired.
func (d Detect) Instant() bool {
	return d.NewTerm != nil || d.Sequence != nil || d.Travel != nil
}

// KeyFields gives the fields whose values make the key of an alert: those of group_by, and of new_term its field.
func (r *Rule) KeyFields() []filter.Field {
	if n := r.Detect.NewTerm; n != nil {
		return append(slices.Clip(r.GroupBy), n.Field)
	}
	return r.GroupBy
}
