package window

import "imwatch/detector/rule"

// CardinalityOf is the condition with another bound for what is counted exactly.
func CardinalityOf(length int64, is rule.Comparison, exact int) *cardinality {
	spec := &cardinalitySpec{length: length, is: is, exact: exact}
	spec.everyLeave = is.Op != rule.Greater && is.Op != rule.GreaterEqual
	return &cardinality{spec: spec}
}
