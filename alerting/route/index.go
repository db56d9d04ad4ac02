package route

import (
	"fmt"

	"imwatch/event"
)

// Index finds which of many lists of conditions an alert satisfies, without trying them all. A list that asks for one
// value of a name (rule = node-down) is looked at for alerts that have it only. Immutable and safe for concurrent use.
type Index struct {
	lists  [][]Matcher
	names  []indexed // names that lists ask a value of
	others []int     // lists that ask for none
}

type indexed struct {
	of    func(*event.Alert) string
	lists map[string][]int
}

// NewIndex makes an index of lists; an empty one is satisfied by every alert.
func NewIndex(lists [][]Matcher) *Index {
	x := &Index{lists: lists}
	at := map[string]int{}
	for i, list := range lists {
		m, ok := exact(list)
		if !ok {
			x.others = append(x.others, i)
			continue
		}
		n, known := at[m.name]
		if !known {
			n = len(x.names)
			at[m.name] = n
			x.names = append(x.names, indexed{m.of, map[string][]int{}})
		}
		x.names[n].lists[m.values[0]] = append(x.names[n].lists[m.values[0]], i)
	}
	return x
}

// exact gives the first condition of a list that asks for one value.
func exact(list []Matcher) (Matcher, bool) {
	for _, m := range list {
		if m.re == nil && !m.negate && len(m.values) == 1 && m.values[0] != "" {
			return m, true
		}
	}
	return Matcher{}, false
}

// Find gives the numbers of the lists that the alert satisfies, in no order, as long as yield returns true.
func (x *Index) Find(a *event.Alert, yield func(list int) bool) {
	for i := range x.names {
		if !x.each(x.names[i].lists[x.names[i].of(a)], a, yield) {
			return
		}
	}
	x.each(x.others, a, yield)
}

func (x *Index) each(lists []int, a *event.Alert, yield func(int) bool) bool {
	for _, i := range lists {
		if MatchAll(x.lists[i], a) && !yield(i) {
			return false
		}
	}
	return true
}

// MatchAll says whether an alert satisfies every condition.
func MatchAll(list []Matcher, a *event.Alert) bool {
	for _, m := range list {
		if !m.Match(a) {
			return false
		}
	}
	return true
}

// ParseMatchers reads a list of conditions; an error names the one that is wrong by its place.
func ParseMatchers(texts []string) ([]Matcher, error) {
	list := make([]Matcher, 0, len(texts))
	for i, text := range texts {
		m, err := ParseMatcher(text)
		if err != nil {
			return nil, &MatcherError{i, err}
		}
		list = append(list, m)
	}
	return list, nil
}

// MatcherError says which of several conditions cannot be read.
type MatcherError struct {
	Place int
	Err   error
}

// Error says where and why.
func (e *MatcherError) Error() string { return fmt.Sprintf("[%d]: %v", e.Place, e.Err) }

// Unwrap gives the cause.
func (e *MatcherError) Unwrap() error { return e.Err }

// Value gives what an alert has under a name of matchers: severity, rule, status, state, labels.NAME or key.FIELD. An
// unknown name is an error.
func Value(name string) (func(*event.Alert) string, error) { return accessor(name) }
