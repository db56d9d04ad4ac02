package kqltest

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

type obj = map[string]any

// Query is one condition in KQL and what Kibana makes of it.
type Query struct {
	Text   string
	Kibana map[string]any // Elasticsearch's query
}

// Queries draws queries nested up to three deep.
func Queries() *rapid.Generator[Query] {
	return rapid.Custom(func(t *rapid.T) Query {
		q := tree(t, 3)
		return Query{space(t) + q.text + space(t), q.dsl}
	})
}

// node is a part of a query: its text and its request. Bound says how tightly its text holds together.
type node struct {
	text string
	dsl  obj
	bind int
}

const (
	byOr = iota
	byAnd
	byNot
	whole
)

// in gives the text with parentheses where the place asks for them, and sometimes without need.
func (n node) in(t *rapid.T, bind int) string {
	if n.bind >= bind && rapid.IntRange(0, 5).Draw(t, "parentheses") > 0 {
		return n.text
	}
	return "(" + space(t) + n.text + space(t) + ")"
}

func space(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "  ", "\n", "\t", "\u00a0"}).Draw(t, "space")
}

// operator draws a word in some case with space around it.
func operator(t *rapid.T, word string) string {
	gap := []string{" ", " ", "\n", " \t", "\u00a0"}
	word = rapid.SampledFrom([]string{word, word, strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:]}).Draw(t, "case")
	return rapid.SampledFrom(gap).Draw(t, "before") + word + rapid.SampledFrom(gap).Draw(t, "after")
}

func tree(t *rapid.T, depth int) node {
	return grow(t, depth, leaf)
}

// grow draws a tree of and, or, not over leaves.
func grow(t *rapid.T, depth int, leaf func(*rapid.T) node) node {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 6).Draw(t, "kind")
	}
	switch kind {
	case 1, 2:
		return join(t, "and", byAnd, parts(t, depth, leaf))
	case 3, 4:
		return join(t, "or", byOr, parts(t, depth, leaf))
	case 5, 6:
		x := grow(t, depth-1, leaf)
		return node{strings.TrimLeft(operator(t, "not"), " \n\t\u00a0") + x.in(t, whole), obj{"bool": obj{"must_not": x.dsl}}, byNot}
	}
	return leaf(t)
}

func parts(t *rapid.T, depth int, leaf func(*rapid.T) node) []node {
	xs := make([]node, rapid.IntRange(2, 3).Draw(t, "parts"))
	for i := range xs {
		xs[i] = grow(t, depth-1, leaf)
	}
	return xs
}

func join(t *rapid.T, word string, bind int, xs []node) node {
	texts := make([]string, len(xs))
	dsls := make([]obj, len(xs))
	for i, x := range xs {
		texts[i], dsls[i] = x.in(t, bind+1), x.dsl
	}
	var b strings.Builder
	b.WriteString(texts[0])
	for _, s := range texts[1:] {
		b.WriteString(operator(t, word) + s)
	}
	text := b.String()
	if word == "and" {
		return node{text, obj{"bool": obj{"filter": dsls}}, bind}
	}
	return node{text, obj{"bool": obj{"should": dsls, "minimum_should_match": 1}}, bind}
}

// leaf draws field: value, field: (list) or field > value.
func leaf(t *rapid.T) node {
	f := rapid.SampledFrom(fields()).Draw(t, "field")
	name := f.spelled(t)
	if f.ordered() && rapid.IntRange(0, 2).Draw(t, "range?") == 0 {
		op := rapid.SampledFrom([]string{">", ">=", "<", "<="}).Draw(t, "operator")
		v := f.bound(t)
		return node{name + space(t) + op + space(t) + v.text, f.each(func(f target) obj { return f.compared(op, v) }), whole}
	}
	value := func(t *rapid.T) node {
		v := f.value(t)
		return node{v.text, f.each(func(f target) obj { return f.is(v) }), whole}
	}
	colon := name + space(t) + ":" + space(t)
	if rapid.IntRange(0, 3).Draw(t, "list?") > 0 {
		v := value(t)
		return node{colon + v.text, v.dsl, whole}
	}
	list := grow(t, 2, value)
	return node{fmt.Sprintf("%s(%s%s%s)", colon, space(t), list.text, space(t)), list.dsl, whole}
}
