package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/event/filter"
)

func TestCommonDemand(t *testing.T) {
	eq := func(name, v string) filter.Equal {
		return filter.Equal{Field: filter.Field{Name: name}, Value: event.KeywordValue(v)}
	}
	a1, a3, b := eq("a", "1"), eq("a", "3"), eq("b", "2")
	for name, c := range map[string]struct {
		parts []filter.Expr
		want  []string
	}{
		"nothing":       {nil, nil},
		"plain":         {[]filter.Expr{a1, a3}, []string{"1", "3"}},
		"in an And":     {[]filter.Expr{filter.And{b, a1}, filter.And{filter.And{a3}, b}}, []string{"2", "2"}},
		"second field":  {[]filter.Expr{filter.And{b, a1}, a3}, []string{"1", "3"}},
		"not in all":    {[]filter.Expr{a1, b}, nil},
		"under a Not":   {[]filter.Expr{a1, filter.Not{X: a3}}, nil},
		"under an Or":   {[]filter.Expr{a1, filter.Or{a3, b}}, nil},
		"what does not": {[]filter.Expr{eq("unfit", "1"), eq("unfit", "2")}, nil},
	} {
		_, values, ok := CommonDemand(c.parts, func(x filter.Equal) bool { return x.Field.Name != "unfit" })
		var got []string
		for _, v := range values {
			got = append(got, v.Text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", name, ok, diff)
		}
	}
}
