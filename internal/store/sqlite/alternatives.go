package sqlite

import (
	"strings"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// manyParts is how many alternatives are tried one by one on each row.
const manyParts = 50

// or takes plain equalities together, column by column: SQLite looks a value up in a list, but tries alternatives
// one after the other. Where too many others are left, it looks for what they have in common.
func or(parts filter.Or) clause {
	sets, rest := equalities(parts)
	if len(rest) > manyParts {
		f, values, ok := store.CommonDemand(rest, inColumn)
		if !ok {
			return anything()
		}
		set := setOf(f, values)
		set.exact = false
		sets, rest = append(sets, set), nil
	}
	for _, p := range rest {
		sets = append(sets, render(p))
	}
	return joinClauses(sets, " OR ", "0")
}

func inColumn(x filter.Equal) bool {
	if columnOf(x.Field) == "" {
		return false
	}
	_, ok := constant(x.Field, x.Value)
	return ok
}

// equalities makes a list of each column that several parts compare with a value; what they leave is rest.
func equalities(parts []filter.Expr) (sets []clause, rest []filter.Expr) {
	byField := map[filter.Field][]filter.Expr{}
	var order []filter.Field
	for _, p := range parts {
		eq, ok := p.(filter.Equal)
		if !ok || !inColumn(eq) {
			rest = append(rest, p)
			continue
		}
		if byField[eq.Field] == nil {
			order = append(order, eq.Field)
		}
		byField[eq.Field] = append(byField[eq.Field], p)
	}
	for _, f := range order {
		_, values, _ := store.CommonDemand(byField[f], inColumn)
		sets = append(sets, setOf(f, values))
	}
	return sets, rest
}

// setOf is true where the column has one of the values, which must be inColumn.
func setOf(f filter.Field, values []event.Value) clause {
	col := columnOf(f)
	if len(values) == 1 {
		return equal(filter.Equal{Field: f, Value: values[0]})
	}
	c := clause{exact: true, sql: "(" + col + " IS NOT NULL AND " + col + " IN (?" + strings.Repeat(",?", len(values)-1) + "))"}
	for _, v := range values {
		x, _ := constant(f, v)
		c.args = append(c.args, x)
	}
	return c
}
