package filter

import (
	"slices"
	"strings"

	"imwatch/event"
)

// test says whether one value satisfies a leaf.
type test = func(*event.Value) bool

// Value gives the field's value of an event, and whether it has one.
func (f Field) Value(e *event.Event) (event.Value, bool) {
	if f.ID != event.NoField {
		return e.Get(f.ID)
	}
	if f.Wild {
		return f.values(e)
	}
	extras := e.Extras()
	for i := range extras {
		if extras[i].Name == f.Name {
			return extras[i].Value()
		}
	}
	return event.Value{}, false
}

// values gives all values of the free fields that the name matches.
func (f Field) values(e *event.Event) (event.Value, bool) {
	var list []event.Value
	parts := strings.Split(f.Name, "*")
	for _, x := range e.Extras() {
		if !strings.HasPrefix(x.Name, event.LabelPrefix) || !matchParts(x.Name, parts) {
			continue
		}
		if v, ok := x.Value(); ok {
			v.Each(func(v event.Value) bool { list = append(list, v); return true })
		}
	}
	if len(list) == 0 {
		return event.Value{}, false
	}
	v := list[0]
	v.List = list
	return v, true
}

// has looks for a value. An object without members is none, as it is to Elasticsearch.
func has(f Field) predicate {
	if f.ID != event.NoField && f.Type == event.Flattened {
		return anyOf(f, func(v *event.Value) bool { return strings.IndexByte(v.Text, ':') > 0 })
	}
	if f.ID != event.NoField {
		return func(e *event.Event) bool { return e.Has(f.ID) }
	}
	return func(e *event.Event) bool { _, ok := f.Value(e); return ok }
}

func anyOf(f Field, ok test) predicate {
	id := f.ID
	if id == event.NoField {
		return func(e *event.Event) bool {
			v, has := f.Value(e)
			return has && anyValue(&v, ok)
		}
	}
	return func(e *event.Event) bool {
		v := e.At(id)
		return v != nil && anyValue(v, ok)
	}
}

func anyValue(v *event.Value, ok test) bool {
	if v.List == nil {
		return ok(v)
	}
	for i := range v.List {
		if ok(&v.List[i]) {
			return true
		}
	}
	return false
}

// anyText is anyOf for what looks at the text alone. Of a free field the value is not in the event but made when asked
// for; its address would make it garbage.
func anyText(f Field, ok func(string) bool) predicate {
	if f.ID != event.NoField {
		return anyOf(f, func(v *event.Value) bool { return ok(v.Text) })
	}
	return func(e *event.Event) bool {
		v, has := f.Value(e)
		if !has || v.List == nil {
			return has && ok(v.Text)
		}
		return slices.ContainsFunc(v.List, func(v event.Value) bool { return ok(v.Text) })
	}
}

func compileEqual(x Equal) predicate {
	switch want := x.Value.Text; {
	case x.Value.Type == event.Keyword && x.Field.ID != event.NoField:
		return anyOf(x.Field, func(v *event.Value) bool { return v.Text == want })
	case x.Value.Type == event.Keyword:
		return anyText(x.Field, func(s string) bool { return s == want })
	}
	return anyOf(x.Field, equal(x.Field, x.Value))
}

func equal(f Field, want event.Value) test {
	switch want.Type {
	case event.Text, event.Flattened, event.GeoPoint:
		return func(v *event.Value) bool { return v.Text == want.Text }
	case event.IP:
		return sameAddress(want.Text)
	case event.Long, event.Date, event.Bool:
		if f.Type == want.Type {
			n := want.UnixNano() // of all three the integer that they are kept as
			return func(v *event.Value) bool { return v.UnixNano() == n }
		}
	}
	return func(v *event.Value) bool { return Compare(*v, want) == 0 }
}

// fewValues is up to how many values are compared one after the other rather than looked up.
const fewValues = 8

// sets takes the equalities of keywords out of an Or, field by field, as sets; the others are left.
func sets(parts []Expr) (fs []predicate, rest []Expr) {
	texts := map[Field][]string{}
	var order []Field
	for _, p := range parts {
		eq, ok := p.(Equal)
		if !ok || eq.Value.Type != event.Keyword {
			rest = append(rest, p)
			continue
		}
		if texts[eq.Field] == nil {
			order = append(order, eq.Field)
		}
		texts[eq.Field] = append(texts[eq.Field], eq.Value.Text)
	}
	for _, f := range order {
		fs = append(fs, anyText(f, oneOf(texts[f])))
	}
	return fs, rest
}

func oneOf(texts []string) func(string) bool {
	if len(texts) <= fewValues {
		return func(s string) bool { return slices.Contains(texts, s) }
	}
	set := make(map[string]struct{}, len(texts))
	for _, t := range texts {
		set[t] = struct{}{}
	}
	return func(s string) bool { _, ok := set[s]; return ok }
}
