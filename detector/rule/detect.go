package rule

import (
	"fmt"
	"strconv"
	"time"

	"imwatch/event/filter"
)

// The types of detection that are built.
const (
	TypeThreshold   = "threshold"
	TypeConsecutive = "consecutive"
)

// Detect says what a rule looks for. Type names it, and exactly the part of that name is set.
type Detect struct {
	Type        string
	Threshold   *Threshold
	Consecutive *Consecutive
}

// Threshold is true while the sum of the weights of the matching events in the window satisfies Count.
type Threshold struct {
	Count      Comparison
	Window     time.Duration // sliding, (t − Window, t]
	WindowText string        // as written
}

// Consecutive is true from the Count-th matching event in a row until a resetting one, or until MaxGap after the last.
type Consecutive struct {
	Count     int
	Reset     filter.Expr // tried on all events of the key, wins over Where; nil: nothing resets
	ResetText string
	MaxGap    time.Duration // default 10m; a gap of exactly this does not break the row
}

// Window gives the length of the sliding window, 0 for a type without one.
func (d Detect) Window() time.Duration {
	if d.Threshold != nil {
		return d.Threshold.Window
	}
	return 0
}

// WindowText gives the window as written in the rule, "" for a type without one.
func (d Detect) WindowText() string {
	if d.Threshold != nil {
		return d.Threshold.WindowText
	}
	return ""
}

// Limit gives what the value is compared with, as written in the rule: "> 20", "5".
func (d Detect) Limit() string {
	switch {
	case d.Threshold != nil:
		return d.Threshold.Count.String()
	case d.Consecutive != nil:
		return strconv.Itoa(d.Consecutive.Count)
	}
	return ""
}

// canonical prints what decides, independent of how it was written.
func (d Detect) canonical() string {
	switch {
	case d.Threshold != nil:
		t := d.Threshold
		return fmt.Sprintf("threshold %s %v %d", t.Count.Op, t.Count.Limit, t.Window)
	case d.Consecutive != nil:
		c := d.Consecutive
		return fmt.Sprintf("consecutive %d %q %d", c.Count, c.ResetText, c.MaxGap)
	}
	return d.Type
}
