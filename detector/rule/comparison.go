package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Op is a comparison operator.
type Op uint8

// The operators.
const (
	Greater      Op = iota // >
	GreaterEqual           // >=
	Less                   // <
	LessEqual              // <=
	Equal                  // ==
	NotEqual               // !=
)

// String gives the operator as it is written in rules.
func (o Op) String() string { return [...]string{">", ">=", "<", "<=", "==", "!="}[o] }

// Comparison is an operator and the number on its right: "> 20".
type Comparison struct {
	Op    Op
	Limit float64
	Unit  time.Duration // of Limit, where it is a time; 0: a plain number
	text  string
}

// Holds says whether value satisfies the comparison.
func (c Comparison) Holds(value float64) bool {
	switch c.Op {
	case Greater:
		return value > c.Limit
	case GreaterEqual:
		return value >= c.Limit
	case Less:
		return value < c.Limit
	case LessEqual:
		return value <= c.Limit
	case Equal:
		return value == c.Limit
	}
	return value != c.Limit
}

// String gives the comparison as it was written, or "> 20" where it was made in code.
func (c Comparison) String() string {
	if c.text != "" {
		return c.text
	}
	return c.Op.String() + " " + strconv.FormatFloat(c.Limit, 'f', -1, 64)
}

// ParseComparison reads an operator and a number, with or without spaces between: "> 20", ">=0.5".
func ParseComparison(s string) (Comparison, error) {
	text := strings.TrimSpace(s)
	op, rest, ok := cutOp(text)
	if !ok {
		return Comparison{}, fmt.Errorf("found %q, expected one of > >= < <= == != and a number, as in \"> 20\"", s)
	}
	number := strings.TrimSpace(rest)
	limit, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(limit, 0) || math.IsNaN(limit) || strings.ContainsAny(number, "xX_pP") {
		return Comparison{}, fmt.Errorf("found %q after %s, expected a number, as in \"%s 20\"", number, op, op)
	}
	return Comparison{Op: op, Limit: limit, text: text}, nil
}

func cutOp(s string) (Op, string, bool) {
	for _, op := range []Op{GreaterEqual, LessEqual, Equal, NotEqual, Greater, Less} { // the longer first
		if rest, ok := strings.CutPrefix(s, op.String()); ok {
			return op, rest, true
		}
	}
	return 0, "", false
}
