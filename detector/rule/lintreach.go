package rule

import (
	"fmt"
	"math"

	"imwatch/event"
	"imwatch/event/filter"
)

// checkReach refuses conditions that no event can satisfy, and what the rest of the rule rules out.
func (d *decoder) checkReach(r *Rule) {
	if HasErrors(d.findings) {
		return // a condition with a fault is not the one that was meant
	}
	sound := true
	for _, c := range r.Conditions() {
		if why := never(c.Expr); why != "" {
			d.failAt(c.Path, "no event can satisfy this: %s", why)
			sound = false
		}
	}
	if !sound {
		return
	}
	d.checkParts(r)
	d.checkFields(r)
	d.checkGroups(r)
	d.checkValues(r)
}

// checkParts looks at the conditions inside the type beside where.
func (d *decoder) checkParts(r *Rule) {
	switch t := r.Detect; {
	case t.Ratio != nil:
		if why := never(r.Where, t.Ratio.Of); why != "" {
			d.warnAt("detect.ratio.of", "where leaves no event that satisfies this, so the share is always 0: %s", why)
		} else if never(r.Where, filter.Not{X: t.Ratio.Of}) != "" {
			d.warnAt("detect.ratio.of", "every event that where takes satisfies this, so the share is always 1")
		}
	case t.Consecutive != nil && t.Consecutive.Reset != nil:
		if never(r.Where, filter.Not{X: t.Consecutive.Reset}) != "" {
			d.failAt("detect.consecutive.reset", "reset is true for every event that where takes and wins over it, so the rule could never fire")
		}
	case t.Sequence != nil:
		for i, step := range t.Sequence.Steps {
			note := d.failAt
			if step.Not { // it can fire all the same
				note = d.warnAt
			}
			if why := never(r.Where, step.Where); why != "" {
				note(fmt.Sprintf("detect.sequence.steps.%d.where", i), "where leaves no event for this step: %s", why)
			}
		}
	case t.Travel != nil && t.Travel.Ignore != nil:
		if never(r.Where, filter.Not{X: t.Travel.Ignore}) != "" {
			d.failAt("detect.travel.ignore", "every event that where takes is ignored, so the rule could never fire")
		}
	}
}

// checkFields looks at the field that the type takes values of.
func (d *decoder) checkFields(r *Rule) {
	var path string
	var f filter.Field
	switch t := r.Detect; {
	case t.Metric != nil:
		path, f = "detect.metric.field", t.Metric.Field
	case t.Cardinality != nil:
		path, f = "detect.cardinality.field", t.Cardinality.Field
	case t.NewTerm != nil:
		path, f = "detect.new_term.field", t.NewTerm.Field
	case t.Anomaly != nil && t.Anomaly.Field.Name != "":
		path, f = "detect.anomaly.value", t.Anomaly.Field
	case t.Travel != nil:
		loc := event.FieldByID(event.FieldClientGeoLocation)
		path, f = "where", filter.Field{Name: loc.Name, ID: loc.ID, Type: loc.Type}
	default:
		return
	}
	if why := never(r.Where, filter.Exists{Field: f}); why != "" {
		d.failAt(path, "no event that where takes has %s: %s", f.Name, why)
		return
	}
	if c := r.Detect.Cardinality; c != nil {
		if n := most(r.Where, f); n > 0 && !holdsUpTo(c.Is, n) {
			d.failAt("detect.cardinality.is", "where leaves %d values of %s at most, so %q can never hold", n, f.Name, c.Is)
		}
	}
}

// most gives how many values a condition leaves for a field at most, 0 where it leaves any number.
func most(x filter.Expr, f filter.Field) int {
	all, ok := ways(x, false)
	if !ok || !single(f) {
		return 0
	}
	values := map[string]bool{}
	for _, way := range all {
		if conflict(way) != "" {
			continue
		}
		pin := ""
		for _, l := range way {
			if e, ok := l.leaf.(filter.Equal); ok && !l.not && e.Field.Name == f.Name {
				pin = "=" + e.Value.Text
			}
		}
		if pin == "" {
			return 0
		}
		values[pin] = true
	}
	return len(values)
}

func holdsUpTo(c Comparison, n int) bool {
	for v := 1; v <= n; v++ {
		if c.Holds(float64(v)) {
			return true
		}
	}
	return false
}

// checkGroups warns of a key that is the same for every event.
func (d *decoder) checkGroups(r *Rule) {
	for i, f := range r.GroupBy {
		path := fmt.Sprintf("group_by.%d", i)
		if never(r.Where, filter.Exists{Field: f}) != "" {
			d.warnAt(path, "no event that where takes has %s: its key is always %s", f.Name, Missing)
		} else if most(r.Where, f) == 1 {
			d.warnAt(path, "where leaves one value of %s: it is the same in every key", f.Name)
		}
	}
}

// checkValues looks at comparisons that the type's values can never or always satisfy.
func (d *decoder) checkValues(r *Rule) {
	if c := r.Detect.Cardinality; c != nil && c.Is.Op == Equal && c.Is.Limit != math.Trunc(c.Is.Limit) {
		d.failAt("detect.cardinality.is", "found %q, but the number of distinct values is whole", c.Is)
	}
	high := highest(r)
	for _, e := range r.SeverityWhen {
		path := "severity_when." + e.Severity
		switch {
		case beyond(e.Is, high):
			d.warnAt(path, "%q can never hold: the value of this rule is at most %s", e.Is, printNumber(high))
		case implied(r.Detect.limitComparison(), e.Is):
			d.warnAt(path, "%q holds whenever the rule fires (%s), so its severity is never %s", e.Is, r.Detect.Limit(), r.Severity)
		}
	}
}

// highest gives the greatest value that a rule can have.
func highest(r *Rule) float64 {
	switch t := r.Detect; {
	case t.Ratio != nil, t.NewTerm != nil:
		return 1
	case t.Sequence != nil:
		return t.Sequence.Within.Seconds()
	case t.Travel != nil:
		return 1_000_000
	}
	return math.Inf(1)
}

func beyond(c Comparison, high float64) bool {
	switch c.Op {
	case Greater:
		return c.Limit >= high
	case GreaterEqual, Equal:
		return c.Limit > high
	case Less, LessEqual, NotEqual:
	}
	return false
}

// limitComparison gives the comparison that makes a rule fire, nil where it is none of the value alone.
func (d Detect) limitComparison() *Comparison {
	switch {
	case d.Threshold != nil:
		return &d.Threshold.Count
	case d.Ratio != nil:
		return &d.Ratio.Is
	case d.Metric != nil:
		return &d.Metric.Is
	case d.Cardinality != nil:
		return &d.Cardinality.Is
	case d.Consecutive != nil:
		return &Comparison{Op: GreaterEqual, Limit: float64(d.Consecutive.Count)}
	}
	return nil
}

// implied says whether a comparison follows from another, both from below.
func implied(from *Comparison, c Comparison) bool {
	if from == nil || from.Op != Greater && from.Op != GreaterEqual {
		return false
	}
	switch c.Op {
	case Greater:
		return c.Limit < from.Limit || c.Limit == from.Limit && from.Op == Greater
	case GreaterEqual:
		return c.Limit <= from.Limit
	case Less, LessEqual, Equal, NotEqual:
	}
	return false
}
