package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// number reads a number that is not negative.
func (d *decoder) number(n *yaml.Node) (float64, bool) {
	v, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
	if n.Kind != yaml.ScalarNode || err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		d.fail(n, "found %s, expected a number that is not negative", describe(n))
		return 0, false
	}
	return v, true
}

func positiveNumber[T any](at func(*T) *float64) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) {
		if v, ok := d.number(n); ok && v == 0 {
			d.fail(n, "found %q, expected more than 0", n.Value)
		} else if ok {
			*at(into) = v
		}
	}
}

func (d *decoder) truth(n *yaml.Node) (bool, bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		return strings.EqualFold(n.Value, "true"), true
	}
	d.fail(n, "found %s, expected true or false", describe(n))
	return false, false
}

// share reads a comparison of a fraction from 0 to 1.
func (d *decoder) share(n *yaml.Node) (Comparison, bool) {
	c, ok := d.comparisonOf(n, ParseShare)
	switch {
	case !ok:
	case c.Limit < 0 || c.Limit > 1:
		d.fail(n, "found %q, expected a share from 0 to 1, or from 0%% to 100%%", n.Value)
	case c.Op == Greater && c.Limit == 1 || c.Op == Less && c.Limit == 0:
		d.fail(n, "found %q, which no share satisfies", n.Value)
	case c.Op == GreaterEqual && c.Limit == 0 || c.Op == LessEqual && c.Limit == 1:
		d.fail(n, "found %q, which every share satisfies", n.Value)
	default:
		return c, true
	}
	return c, false
}

// ParseShare reads a comparison of a fraction, in percent too: "> 0.05", "> 5%".
func ParseShare(s string) (Comparison, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	c, err := ParseComparison(number)
	if err != nil {
		return c, fmt.Errorf("found %q, expected one of > >= < <= == != and a share, as in \"> 0.05\" or \"> 5%%\"", s)
	}
	if c.text = strings.TrimSpace(s); percent {
		// 7/100, not 7*0.01: the nearest number to what was meant.
		c.Limit /= 100
	}
	return c, nil
}

// ParseQuantity reads a comparison of a number or of a time: "> 100", "> 120ms", "<= 1.5s". Of a time Unit is a
// nanosecond.
func ParseQuantity(s string) (Comparison, error) {
	text := strings.TrimSpace(s)
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz")
	if digits == text {
		return ParseComparison(s)
	}
	c, err := ParseComparison(digits)
	_, size, ok := findUnit(text[len(digits):])
	if err != nil || !ok {
		return c, fmt.Errorf("found %q, expected a comparison with a number, or with a time in ms, s, m, h, d or w, as in \"> 120ms\"", s)
	}
	c.text, c.Limit, c.Unit = text, c.Limit*float64(size), time.Nanosecond
	return c, nil
}

func (d *decoder) comparisonOf(n *yaml.Node, parse func(string) (Comparison, error)) (Comparison, bool) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, "found %s, expected a comparison, as in \"> 20\"", describe(n))
		return Comparison{}, false
	}
	c, err := parse(n.Value)
	if err != nil {
		d.fail(n, "%s", err)
	}
	return c, err == nil
}
