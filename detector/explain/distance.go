package explain

import (
	"math"
	"strconv"

	"imwatch/detector/rule"
)

// missing says how far a value is from satisfying a limit as alerts print it, "" where it does or the limit is no
// comparison.
func missing(value float64, limit string) string {
	c, err := rule.ParseComparison(limit)
	if n, plain := strconv.ParseFloat(limit, 64); plain == nil { // a plain number is how many it takes
		c, err = rule.Comparison{Op: rule.GreaterEqual, Limit: n}, nil
	}
	if err != nil || c.Holds(value) {
		return ""
	}
	gap := number(math.Abs(c.Limit - value))
	if c.Limit == value && (c.Op == rule.Greater || c.Op == rule.Less) {
		return "just at the limit, which must be passed"
	}
	switch c.Op { //nolint:exhaustive // the rest is not equal
	case rule.Greater:
		return "more than " + gap + " missing"
	case rule.GreaterEqual:
		return gap + " missing"
	case rule.Less:
		return "more than " + gap + " too much"
	case rule.LessEqual:
		return gap + " too much"
	case rule.Equal:
		return gap + " beside it"
	}
	return "exactly the excluded number"
}

// number prints without exponent and without the dust of binary fractions.
func number(f float64) string {
	return strconv.FormatFloat(math.Round(f*1e9)/1e9, 'f', -1, 64)
}
