package storetest

import (
	"strings"

	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/event/filter"
)

// expressions draws conditions nested at most depth deep.
func expressions(depth int) *rapid.Generator[filter.Expr] {
	if depth == 0 {
		return leaves()
	}
	deeper := rapid.Deferred(func() *rapid.Generator[filter.Expr] { return expressions(depth - 1) })
	return rapid.Custom(func(t *rapid.T) filter.Expr {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0, 1:
			return filter.And(rapid.SliceOfN(deeper, 0, 3).Draw(t, "and"))
		case 2, 3:
			return filter.Or(rapid.SliceOfN(deeper, 0, 3).Draw(t, "or"))
		case 4, 5:
			return filter.Not{X: deeper.Draw(t, "not")}
		}
		return leaves().Draw(t, "leaf")
	})
}

// leaves draws one condition on one field: each kind on each type, also where it makes no sense.
func leaves() *rapid.Generator[filter.Expr] {
	return rapid.Custom(func(t *rapid.T) filter.Expr {
		f := anyField().Draw(t, "field")
		switch rapid.IntRange(0, 15).Draw(t, "leaf") {
		case 0:
			return filter.All{}
		case 1:
			return filter.None{}
		case 2, 3:
			return filter.Exists{Field: existing(t, f)}
		case 4, 5, 6:
			return filter.Equal{Field: f, Value: constant(t, f)}
		case 7, 8, 9:
			return ranges(t, f)
		case 10, 11, 12:
			return filter.Pattern{Field: f, Parts: parts(t)}
		case 13:
			f = field("client.ip")
			return filter.CIDR{Field: f, Prefix: prefixes().Draw(t, "prefix")}
		}
		f = field(rapid.SampledFrom([]string{"message", "error.message"}).Draw(t, "text field"))
		phrase := filter.Tokenize(texts().Draw(t, "phrase"))
		return filter.Words{Field: f, Words: phrase, Phrase: rapid.Bool().Draw(t, "phrase?")}
	})
}

// existing sometimes asks for the fields that have no other condition.
func existing(t *rapid.T, f filter.Field) filter.Field {
	if rapid.IntRange(0, 4).Draw(t, "special") > 0 {
		return f
	}
	return field(rapid.SampledFrom([]string{"client.geo.location", "im.alert.key"}).Draw(t, "special field"))
}

// constant draws a value of the field's type, sometimes of the other number type.
func constant(t *rapid.T, f filter.Field) event.Value {
	if f.Type == event.Long && rapid.IntRange(0, 3).Draw(t, "other type") == 0 {
		return event.FloatValue(rapid.SampledFrom([]float64{0.5, -1.5, 401, 1e30, -1e30, 1 << 53}).Draw(t, "fraction"))
	}
	return value(f.Type).Draw(t, "value")
}

func ranges(t *rapid.T, f filter.Field) filter.Expr {
	r := filter.Range{Field: f, FromClosed: rapid.Bool().Draw(t, "from closed"), ToClosed: rapid.Bool().Draw(t, "to closed")}
	if rapid.IntRange(0, 3).Draw(t, "from") > 0 {
		v := constant(t, f)
		r.From = &v
	}
	if rapid.IntRange(0, 3).Draw(t, "to") > 0 {
		v := constant(t, f)
		r.To = &v
	}
	return r
}

func parts(t *rapid.T) []string {
	s := rapid.SampledFrom([]string{"*", "a*", "*b", "a*b", "*a*", "a?b*", `a\*`, "a[*", "*[b]", "漢*", "*字", "a", "", "a*b*", "**", "192*", "1*", "long*long", strings.Repeat("long", 300) + "*", "😀*", "%*"})
	return strings.Split(s.Draw(t, "pattern"), "*")
}

func prefixes() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{
		"192.0.2.0/24", "192.0.2.1/32", "0.0.0.0/0", "192.0.2.77/23", "2001:db8::/32", "2001:db8::1/128", "::/0", "::/96", "::ffff:192.0.2.0/120", "::ffff:192.0.2.0/127", "::ffff:0:0/96", "bad",
	})
}
