package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// window gives the span that the type calls its window, nil for a type without one.
func (d Detect) window() *Length {
	switch {
	case d.Threshold != nil:
		return &d.Threshold.Window
	case d.Ratio != nil:
		return &d.Ratio.Window
	case d.Metric != nil:
		return &d.Metric.Window
	case d.Cardinality != nil:
		return &d.Cardinality.Window
	case d.Spike != nil:
		return &d.Spike.Window
	case d.Absence != nil:
		return &d.Absence.Window
	case d.NewTerm != nil:
		return &d.NewTerm.History
	case d.Sequence != nil:
		return &d.Sequence.Within
	case d.Anomaly != nil:
		return &d.Anomaly.Bucket
	}
	return nil
}

// Window gives the length of the window, of a sequence what it happens within, of new_term its history, of an anomaly
// its bucket; 0 for a type without one.
func (d Detect) Window() time.Duration {
	if w := d.window(); w != nil {
		return w.Duration
	}
	return 0
}

// WindowText gives the window as written in the rule, "" for a type without one.
func (d Detect) WindowText() string {
	if w := d.window(); w != nil {
		return w.Text
	}
	return ""
}

// Limit gives what the value is compared with, as written in the rule: "> 20", "5".
func (d Detect) Limit() string {
	switch {
	case d.Threshold != nil:
		return d.Threshold.Count.String()
	case d.Ratio != nil:
		return d.Ratio.Is.String()
	case d.Metric != nil:
		return d.Metric.Is.String()
	case d.Cardinality != nil:
		return d.Cardinality.Is.String()
	case d.Spike != nil:
		return d.Spike.limit()
	case d.Absence != nil:
		return ">= " + printNumber(d.Absence.Window.Seconds())
	case d.NewTerm != nil:
		return "1"
	case d.Consecutive != nil:
		return strconv.Itoa(d.Consecutive.Count)
	case d.Sequence != nil:
		return "<= " + printNumber(d.Sequence.Within.Seconds())
	case d.Travel != nil:
		return "> " + printNumber(d.Travel.MaxKmh)
	case d.Anomaly != nil:
		return d.Anomaly.Score.String()
	}
	return ""
}

func (s *Spike) limit() string {
	up, down := ">= "+printNumber(s.Factor), "<= 1/"+printNumber(s.Factor)
	switch s.Direction {
	case DirectionUp:
		return up
	case DirectionDown:
		return down
	}
	return up + " or " + down
}

// canonical prints what decides, independent of how it was written.
func (d Detect) canonical() string {
	switch {
	case d.Threshold != nil:
		t := d.Threshold
		return fmt.Sprintf("threshold %s %v %d", t.Count.Op, t.Count.Limit, t.Window.Duration)
	case d.Ratio != nil:
		t := d.Ratio
		return fmt.Sprintf("ratio %q %s %v %d %v", t.OfText, t.Is.Op, t.Is.Limit, t.Window.Duration, t.MinTotal)
	case d.Metric != nil:
		t := d.Metric
		return fmt.Sprintf("metric %q %s %s %v %d %v", t.Field.Name, t.Agg, t.Is.Op, t.Is.Limit, t.Window.Duration, t.MinCount)
	case d.Cardinality != nil:
		t := d.Cardinality
		return fmt.Sprintf("cardinality %q %s %v %d", t.Field.Name, t.Is.Op, t.Is.Limit, t.Window.Duration)
	case d.Spike != nil:
		t := d.Spike
		return fmt.Sprintf("spike %d %d %v %v %s", t.Window.Duration, t.Baseline.Duration, t.Factor, t.MinCount, t.Direction)
	case d.Consecutive != nil:
		c := d.Consecutive
		return fmt.Sprintf("consecutive %d %q %d", c.Count, c.ResetText, c.MaxGap)
	}
	return d.canonicalPattern()
}

func (d Detect) canonicalPattern() string {
	switch {
	case d.Absence != nil: // which keys are expected may change without a new beginning
		t := d.Absence
		return fmt.Sprintf("absence %d %d", t.Window.Duration, t.Expect.Learn)
	case d.NewTerm != nil:
		t := d.NewTerm
		return fmt.Sprintf("new_term %q %d %d", t.Field.Name, t.History.Duration, t.Warmup)
	case d.Sequence != nil:
		var b strings.Builder
		fmt.Fprintf(&b, "sequence %d", d.Sequence.Within.Duration)
		for _, s := range d.Sequence.Steps {
			fmt.Fprintf(&b, " %q %d %v", s.WhereText, s.Times, s.Not)
		}
		return b.String()
	case d.Travel != nil:
		t := d.Travel
		return fmt.Sprintf("travel %v %v %q", t.MaxKmh, t.MinKm, t.IgnoreText)
	case d.Anomaly != nil:
		t := d.Anomaly
		return fmt.Sprintf("anomaly %q %s %d %d %s %v %s", t.Field.Name, t.Agg, t.Bucket.Duration, t.Season.Duration, t.Score.Op, t.Score.Limit, t.Direction)
	}
	return d.Type
}

// printNumber prints a number without exponent: 2500000, 0.25.
func printNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
