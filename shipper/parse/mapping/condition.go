package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// test is one value of a condition.
type test struct {
	slot  int
	tries []try
}

// try is one text that a value may fit.
type try struct {
	not   bool
	any   bool     // any value at all
	op    string   // "": text
	limit float64  // for op
	parts []string // text between the *, lower case
}

func (m *Mapping) compileCondition(c Condition) ([]test, error) {
	var tests []test
	for _, name := range slices.Sorted(maps.Keys(c)) {
		slot, err := m.need(name)
		if err != nil {
			return nil, err
		}
		t := test{slot: slot}
		for _, s := range c[name] {
			x, err := parseTry(s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			t.tries = append(t.tries, x)
		}
		tests = append(tests, t)
	}
	return tests, nil
}

func parseTry(s string) (try, error) {
	text, not := strings.CutPrefix(s, "!")
	x := try{not: not}
	for _, op := range []string{">=", "<=", ">", "<"} {
		number, ok := strings.CutPrefix(text, op)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			return x, fmt.Errorf("found %q, expected a number after %s", s, op)
		}
		x.op, x.limit = op, f
		return x, nil
	}
	x.any = text == "*"
	x.parts = strings.Split(fold(text), "*")
	return x, nil
}

// Ignored says whether the line is one to leave out.
func (m *Mapping) Ignored() bool { return slices.ContainsFunc(m.ignore, m.holds) }

// holds says whether all tests fit the record.
func (m *Mapping) holds(tests []test) bool {
	for i := range tests {
		if !m.fits(&tests[i]) {
			return false
		}
	}
	return true
}

func (m *Mapping) fits(t *test) bool {
	v, there := m.value(t.slot)
	for i := range t.tries {
		x := &t.tries[i]
		if there && x.op == "" && !x.any {
			v = m.folded(t.slot)
		}
		if (there && x.fits(v)) != x.not {
			return true
		}
	}
	return false
}

// fits says whether a value is like that; a text must be without case.
func (x *try) fits(v string) bool {
	if x.any {
		return true
	}
	if x.op == "" {
		return glob(x.parts, v)
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return false
	}
	switch x.op {
	case ">=":
		return f >= x.limit
	case "<=":
		return f <= x.limit
	case ">":
		return f > x.limit
	}
	return f < x.limit
}

// glob fits s to texts with anything between them.
func glob(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(s, p)
		if !found {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
