package filter

import (
	"cmp"
	"slices"

	"imwatch/event"
)

// predicate says whether a condition holds for an event.
type predicate = func(*event.Event) bool

// Compile makes the predicate of an expression. It is safe for concurrent use. It allocates nothing when called, but
// for words in capitals in texts and free fields with escapes or lists.
func Compile(x Expr) func(*event.Event) bool {
	switch x := x.(type) {
	case And:
		return compileAnd(x)
	case Or:
		return compileOr(x)
	case Not:
		f := Compile(x.X)
		return func(e *event.Event) bool { return !f(e) }
	case None:
		return func(*event.Event) bool { return false }
	case Exists:
		return has(x.Field)
	case Equal:
		return compileEqual(x)
	case Range:
		if x.Field.Type == event.Keyword && x.ends(event.Keyword) {
			return anyText(x.Field, betweenTexts(x))
		}
		return anyOf(x.Field, inRange(x))
	case Pattern:
		if x.Field.Type == event.Text {
			return anyOf(x.Field, hasWordLike(x.Parts))
		}
		return anyText(x.Field, hasPattern(x.Parts))
	case CIDR:
		return anyOf(x.Field, inPrefix(x.Prefix))
	case Words:
		return anyOf(x.Field, hasWords(x))
	}
	return func(*event.Event) bool { return true } // All, nil
}

// compileAnd tries the cheap parts first.
func compileAnd(parts And) predicate {
	flat := flattened(parts, func(x Expr) []Expr { a, _ := x.(And); return a })
	fs := compileAll(flat)
	switch len(fs) {
	case 1:
		return fs[0]
	case 2:
		a, b := fs[0], fs[1]
		return func(e *event.Event) bool { return a(e) && b(e) }
	}
	return func(e *event.Event) bool {
		for _, f := range fs {
			if !f(e) {
				return false
			}
		}
		return true
	}
}

func compileOr(parts Or) predicate {
	flat := flattened(parts, func(x Expr) []Expr { o, _ := x.(Or); return o })
	fs, rest := sets(flat)
	fs = append(fs, compileAll(rest)...)
	if len(fs) == 1 {
		return fs[0]
	}
	return func(e *event.Event) bool {
		for _, f := range fs {
			if f(e) {
				return true
			}
		}
		return false
	}
}

// flattened replaces parts of the same kind by their own parts.
func flattened(parts []Expr, same func(Expr) []Expr) []Expr {
	var flat []Expr
	for _, p := range parts {
		if inner := same(p); inner != nil {
			flat = append(flat, flattened(inner, same)...)
		} else {
			flat = append(flat, p)
		}
	}
	return flat
}

func compileAll(parts []Expr) []predicate {
	slices.SortStableFunc(parts, func(a, b Expr) int { return cmp.Compare(cost(a), cost(b)) })
	fs := make([]predicate, len(parts))
	for i, p := range parts {
		fs[i] = Compile(p)
	}
	return fs
}

// cost is about how many nanoseconds a condition takes.
func cost(x Expr) int {
	switch x := x.(type) {
	case Not:
		return cost(x.X)
	case And:
		return costOfAll(x)
	case Or:
		return costOfAll(x)
	case Exists, Equal, Range, Pattern:
		switch f := fieldOf(x); {
		case f.ID == event.NoField:
			return 20
		case f.Type == event.IP:
			return 15
		case f.Type == event.Text:
			return 500
		}
		return 3
	case CIDR:
		return 15
	case Words:
		return 500
	}
	return 0
}

func costOfAll(xs []Expr) int {
	sum := 0
	for _, x := range xs {
		sum += cost(x)
	}
	return sum
}

func fieldOf(x Expr) Field {
	switch x := x.(type) {
	case Exists:
		return x.Field
	case Equal:
		return x.Field
	case Range:
		return x.Field
	case Pattern:
		return x.Field
	}
	return Field{}
}
