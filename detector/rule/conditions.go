package rule

import (
	"fmt"

	"imwatch/event/filter"
)

// NamedCondition is one of a rule's conditions on events and where it stands in the rule, as in
// "detect.consecutive.reset".
type NamedCondition struct {
	Path string
	Expr filter.Expr
}

// Conditions gives all conditions on events that a rule has, where first; a rule without where has none of that name.
func (r *Rule) Conditions() []NamedCondition {
	var all []NamedCondition
	add := func(path string, x filter.Expr) {
		if x != nil {
			all = append(all, NamedCondition{path, x})
		}
	}
	if r.WhereText != "" {
		add("where", r.Where)
	}
	switch d := r.Detect; {
	case d.Ratio != nil:
		add("detect.ratio.of", d.Ratio.Of)
	case d.Consecutive != nil:
		add("detect.consecutive.reset", d.Consecutive.Reset)
	case d.Sequence != nil:
		for i, step := range d.Sequence.Steps {
			add(fmt.Sprintf("detect.sequence.steps.%d.where", i), step.Where)
		}
	case d.Travel != nil:
		add("detect.travel.ignore", d.Travel.Ignore)
	}
	return all
}

// Leaves gives the parts of a condition that look at a field themselves, in the order in which they are written.
func Leaves(x filter.Expr) []filter.Expr {
	switch x := x.(type) {
	case filter.And:
		return leavesOf(x)
	case filter.Or:
		return leavesOf(x)
	case filter.Not:
		return Leaves(x.X)
	case nil, filter.All, filter.None:
		return nil
	}
	return []filter.Expr{x}
}

func leavesOf(xs []filter.Expr) (leaves []filter.Expr) {
	for _, x := range xs {
		leaves = append(leaves, Leaves(x)...)
	}
	return leaves
}
