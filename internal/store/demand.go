package store

import (
	"imwatch/event"
	"imwatch/event/filter"
)

// CommonDemand finds a field of which every alternative demands one value, as the keys of many groups do: in
// (a=1 and b=2) or (a=3 and c) it is a, with 1 and 3. An adapter may ask for any of the values in place of an Or with
// more parts than its server takes, and judge the hits. fit says which equalities the server can be asked for.
func CommonDemand(parts []filter.Expr, fit func(filter.Equal) bool) (filter.Field, []event.Value, bool) {
	if len(parts) == 0 {
		return filter.Field{}, nil, false
	}
	for _, candidate := range demands(parts[0], fit) {
		var values []event.Value
		for _, p := range parts {
			v, ok := demanded(p, candidate.Field.Name, fit)
			if !ok {
				break
			}
			values = append(values, v)
		}
		if len(values) == len(parts) {
			return candidate.Field, values, true
		}
	}
	return filter.Field{}, nil, false
}

// demands gives the equalities that must hold for x.
func demands(x filter.Expr, fit func(filter.Equal) bool) []filter.Equal {
	switch x := x.(type) {
	case filter.Equal:
		if fit(x) {
			return []filter.Equal{x}
		}
	case filter.And:
		var found []filter.Equal
		for _, p := range x {
			found = append(found, demands(p, fit)...)
		}
		return found
	}
	return nil
}

func demanded(x filter.Expr, name string, fit func(filter.Equal) bool) (event.Value, bool) {
	for _, eq := range demands(x, fit) {
		if eq.Field.Name == name {
			return eq.Value, true
		}
	}
	return event.Value{}, false
}
