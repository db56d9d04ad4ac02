package engine_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// naiveKind is what a type of rule is to the naive evaluator. A new type adds one of these and a line in draws.
type naiveKind struct {
	// truth gives the number compared and whether the condition holds at t, of the events of the key that have come so
	// far, whatever the rule matches, in order. settled: nothing further comes at t.
	truth func(r *rule.Rule, events []*event.Event, t int64, settled bool) (value float64, holds bool)
	// enters says which events the condition is looked at for.
	enters func(r *rule.Rule, e *event.Event) bool
	// after says how long after an event that enters the condition is looked at without another one.
	after func(r *rule.Rule) []time.Duration
	// ends says that something ends at t with a look of its own, though events have come at t; nil: never.
	ends func(r *rule.Rule, events []*event.Event, t int64) bool
	// idle says that nothing is looked at, at an instant at which nothing enters; nil: always something is.
	idle func(r *rule.Rule, events []*event.Event, t int64) bool
	// instants gives further instants at which the condition is looked at; nil: none.
	instants func(r *rule.Rule, events []*event.Event) []int64
	// expected gives the keys that are looked at without an event, after the stream's start too; nil: none.
	expected func(r *rule.Rule) []string
	start    int64 // the stream's
	// valued gives the kind for one value that is part of the alert's key; nil: there is none.
	valued func(value string) naiveKind
}

func naiveKindOf(r *rule.Rule, start int64) naiveKind {
	switch d := r.Detect; {
	case d.Threshold != nil:
		return naiveThreshold()
	case d.Ratio != nil:
		return naiveRatio()
	case d.Metric != nil:
		return naiveMetric()
	case d.Cardinality != nil:
		return naiveCardinality()
	case d.Spike != nil:
		return naiveSpike()
	case d.Consecutive != nil:
		return naiveConsecutive()
	case d.Sequence != nil:
		return naiveSequence()
	case d.Travel != nil:
		return naiveTravel()
	case d.NewTerm != nil:
		return naiveKind{valued: naiveNewTerm}
	}
	if r.Detect.Absence != nil {
		return naiveAbsence(r, start)
	}
	if r.Detect.Anomaly != nil {
		return naiveAnomaly()
	}
	panic("no naive evaluator for " + r.Detect.Type)
}

// draws gives for each type what draws one, as the value of detect.
func draws() []func(*rapid.T) string {
	return []func(*rapid.T) string{
		drawThreshold, drawRatio, drawMetric, drawCardinality, drawSpike, drawConsecutive, drawAbsence, drawSequence, drawTravel, drawNewTerm,
		drawAnomaly,
	}
}

func matches(r *rule.Rule, e *event.Event) bool { return filter.Compile(r.Where)(e) }

// within gives the events in (t − length, t] that the rule matches.
func within(r *rule.Rule, events []*event.Event, t int64, length time.Duration) []*event.Event {
	var in []*event.Event
	for _, e := range events {
		if at := e.UnixNano(); at > t-int64(length) && at <= t && matches(r, e) {
			in = append(in, e)
		}
	}
	return in
}

func naiveThreshold() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, _ bool) (float64, bool) {
			sum := 0.0
			for _, e := range within(r, events, t, r.Detect.Threshold.Window.Duration) {
				sum += e.Weight()
			}
			return sum, r.Detect.Threshold.Count.Holds(sum)
		},
		enters: matches,
		after:  afterWindow,
	}
}

// afterWindow is for types with one window: what enters leaves it.
func afterWindow(r *rule.Rule) []time.Duration { return []time.Duration{r.Detect.Window()} }

func drawThreshold(t *rapid.T) string {
	return fmt.Sprintf("threshold: {count: %q, window: %ds}",
		fmt.Sprintf("%s %d", rapid.SampledFrom([]string{">", ">=", "==", "!="}).Draw(t, "op"), rapid.IntRange(1, 5).Draw(t, "limit")),
		rapid.IntRange(1, 12).Draw(t, "window"))
}

func naiveConsecutive() naiveKind {
	return naiveKind{
		truth: func(r *rule.Rule, events []*event.Event, t int64, settled bool) (float64, bool) {
			row := naiveRow(r, events, t, settled)
			return float64(row), row >= r.Detect.Consecutive.Count
		},
		enters: func(r *rule.Rule, e *event.Event) bool { return matches(r, e) || resets(r, e) },
		after:  func(r *rule.Rule) []time.Duration { return []time.Duration{r.Detect.Consecutive.MaxGap} },
		ends: func(r *rule.Rule, events []*event.Event, t int64) bool {
			return naiveRow(r, events, t, true) == 0
		},
	}
}

func resets(r *rule.Rule, e *event.Event) bool {
	c := r.Detect.Consecutive
	return c.Reset != nil && filter.Compile(c.Reset)(e)
}

func naiveRow(r *rule.Rule, events []*event.Event, t int64, settled bool) int {
	gap := int64(r.Detect.Consecutive.MaxGap)
	row, before := 0, int64(0)
	for _, e := range events {
		switch at := e.UnixNano(); {
		case resets(r, e):
			row = 0
		case matches(r, e):
			if row > 0 && at-before > gap {
				row = 0
			}
			row++
			before = at
		}
	}
	if row > 0 && (t-before > gap || t-before == gap && settled) {
		row = 0 // nothing came to go on with it
	}
	return row
}

func drawConsecutive(t *rapid.T) string {
	detect := fmt.Sprintf("consecutive: {count: %d, max_gap: %ds", rapid.IntRange(1, 4).Draw(t, "count"), rapid.IntRange(1, 8).Draw(t, "gap"))
	if rapid.Bool().Draw(t, "resets") {
		detect += `, reset: "event.action: disconnect"`
	}
	return detect + "}"
}
