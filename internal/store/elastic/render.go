package elastic

import (
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// obj is a piece of Elasticsearch's query language.
type obj map[string]any

// clause is a query for a condition. exact says that on documents without ignored values it matches just those meant;
// else it matches those and others, so that hits need filter.Compile.
type clause struct {
	dsl   obj
	exact bool
}

func all() clause      { return clause{obj{"match_all": obj{}}, true} }
func none() clause     { return clause{obj{"match_none": obj{}}, true} }
func anything() clause { return clause{obj{"match_all": obj{}}, false} }

// Elasticsearch refuses queries that are nested deeper than 30, and with more clauses than a number that depends on
// its memory, at least 1,024.
const (
	maxDepth   = 20
	maxClauses = 500
)

// render makes the query of an expression.
func render(x filter.Expr) clause { return renderAt(x, 0) }

func renderAt(x filter.Expr, depth int) clause {
	if depth > maxDepth {
		return anything()
	}
	switch x := x.(type) {
	case filter.None:
		return none()
	case filter.And:
		return and(x, depth)
	case filter.Or:
		return or(x, depth)
	case filter.Not:
		if inner, twice := x.X.(filter.Not); twice {
			return renderAt(inner.X, depth)
		}
		return not(renderAt(x.X, depth+1))
	case filter.Exists:
		return exists(x.Field)
	case filter.Equal:
		return equal(x)
	case filter.Range:
		return between(x)
	case filter.Pattern:
		return pattern(x)
	case filter.CIDR:
		return prefix(x)
	case filter.Words:
		return words(x)
	}
	return all() // All, nil
}

func not(c clause) clause {
	if !c.exact { // the complement of too many would be too few
		return anything()
	}
	return clause{obj{"bool": obj{"must_not": []obj{c.dsl}}}, true}
}

func and(parts filter.And, depth int) clause {
	var dsl []obj
	exact := true
	for _, p := range flattened(parts, func(x filter.Expr) []filter.Expr { a, _ := x.(filter.And); return a }) {
		c := renderAt(p, depth+1)
		if exact = exact && c.exact; isAll(c.dsl) {
			continue
		}
		if dsl = append(dsl, c.dsl); len(dsl) > maxClauses {
			return clause{obj{"bool": obj{"filter": dsl[:maxClauses]}}, false}
		}
	}
	switch len(dsl) {
	case 0:
		return clause{all().dsl, exact}
	case 1:
		return clause{dsl[0], exact}
	}
	return clause{obj{"bool": obj{"filter": dsl}}, exact}
}

func isAll(dsl obj) bool { _, ok := dsl["match_all"]; return ok }

// flattened replaces parts of the same kind by their own parts: a chain written by a machine can be deep.
func flattened(parts []filter.Expr, same func(filter.Expr) []filter.Expr) []filter.Expr {
	var flat []filter.Expr
	for _, p := range parts {
		if inner := same(p); inner != nil {
			flat = append(flat, flattened(inner, same)...)
		} else {
			flat = append(flat, p)
		}
	}
	return flat
}

func or(parts filter.Or, depth int) clause {
	flat := flattened(parts, func(x filter.Expr) []filter.Expr { o, _ := x.(filter.Or); return o })
	sets, rest := termSets(flat)
	if len(rest)+len(sets) > maxClauses {
		return covering(flat)
	}
	exact := true
	dsl := make([]obj, 0, len(sets)+len(rest))
	for _, s := range sets {
		dsl = append(dsl, s.dsl())
	}
	for _, p := range rest {
		c := renderAt(p, depth+1)
		if isAll(c.dsl) {
			return c
		}
		exact, dsl = exact && c.exact, append(dsl, c.dsl)
	}
	switch len(dsl) {
	case 0:
		return none()
	case 1:
		return clause{dsl[0], exact}
	}
	return clause{obj{"bool": obj{"should": dsl, "minimum_should_match": 1}}, exact}
}

// termSet is many values of one field, any of which will do.
type termSet struct {
	field  string
	values []any
}

const maxTerms = 50_000 // Elasticsearch takes 65,536

func (s termSet) dsl() obj { return obj{"terms": obj{s.field: s.values}} }

// termSets takes the plain equalities out of an Or, field by field; what they leave is rest. A single one is left too.
func termSets(parts []filter.Expr) (sets []termSet, rest []filter.Expr) {
	byField := map[string][]filter.Expr{}
	var order []string
	for _, p := range parts {
		eq, ok := p.(filter.Equal)
		if _, plain := term(eq); !ok || !plain {
			rest = append(rest, p)
			continue
		}
		if byField[eq.Field.Name] == nil {
			order = append(order, eq.Field.Name)
		}
		byField[eq.Field.Name] = append(byField[eq.Field.Name], p)
	}
	for _, name := range order {
		if equals := byField[name]; len(equals) == 1 || len(equals) > maxTerms {
			rest = append(rest, equals...)
		} else {
			sets = append(sets, setOf(name, equals))
		}
	}
	return sets, rest
}

func setOf(name string, equals []filter.Expr) termSet {
	s := termSet{field: name}
	for _, p := range equals {
		v, _ := term(p.(filter.Equal))
		s.values = append(s.values, v)
	}
	return s
}

// covering stands for an Or with more parts than the server takes.
func covering(parts []filter.Expr) clause {
	f, values, ok := store.CommonDemand(parts, func(x filter.Equal) bool { _, plain := term(x); return plain })
	if !ok || len(values) > maxTerms {
		return anything()
	}
	s := termSet{field: f.Name}
	for _, v := range values {
		t, _ := term(filter.Equal{Field: f, Value: v})
		s.values = append(s.values, t)
	}
	return clause{s.dsl(), false}
}

// typeOf is the type under which a field is mapped.
func typeOf(f filter.Field) event.Type {
	if f.ID == event.NoField {
		return event.Keyword
	}
	return event.FieldByID(f.ID).Type
}
