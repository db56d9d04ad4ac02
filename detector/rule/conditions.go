package rule

import "imwatch/event/filter"

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
	if c := r.Detect.Consecutive; c != nil {
		add("detect.consecutive.reset", c.Reset)
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
