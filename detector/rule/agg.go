package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// AggKind is how the values of a field become one number.
type AggKind uint8

// The kinds of aggregates.
const (
	AggSum AggKind = iota
	AggAvg
	AggMin
	AggMax
	AggPercentile
)

// Agg is an aggregate: sum, avg, min, max, or a percentile by nearest rank.
type Agg struct {
	Kind AggKind
	P    float64 // of a percentile: above 0, below 100
	text string
}

// String gives the aggregate as it is written in rules.
func (a Agg) String() string { return a.text }

const aggHelp = "one of sum, avg, min, max, or a percentile from p1 to p99.9"

// ParseAgg reads an aggregate: sum, avg, min, max, p50, p99.9.
func ParseAgg(s string) (Agg, error) {
	text := strings.TrimSpace(s)
	for kind, name := range []string{"sum", "avg", "min", "max"} {
		if text == name {
			return Agg{Kind: AggKind(kind), text: text}, nil //nolint:gosec // one of four
		}
	}
	number, ok := strings.CutPrefix(text, "p")
	p, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || strings.Trim(number, "0123456789.") != "" || p <= 0 || p >= 100 {
		return Agg{}, fmt.Errorf("found %q, expected %s", s, aggHelp)
	}
	return Agg{Kind: AggPercentile, P: p, text: text}, nil
}
