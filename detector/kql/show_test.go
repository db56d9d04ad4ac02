package kql_test

import (
	"fmt"
	"strings"

	"imwatch/event"
	"imwatch/event/filter"
)

// show prints an expression in one line, for tables.
func show(x filter.Expr) string {
	switch x := x.(type) {
	case filter.And:
		return "and(" + showAll(x) + ")"
	case filter.Or:
		return "or(" + showAll(x) + ")"
	case filter.Not:
		return "not(" + show(x.X) + ")"
	case filter.All:
		return "all"
	case filter.None:
		return "none"
	case filter.Exists:
		return x.Field.Name + ":*"
	case filter.Equal:
		return fmt.Sprintf("%s=%s<%s>", x.Field.Name, x.Value.Type, x.Value.Text)
	case filter.Range:
		return fmt.Sprintf("%s%s%s", x.Field.Name, showEnd("[", "(", x.From, x.FromClosed), showEnd("]", ")", x.To, x.ToClosed))
	case filter.Pattern:
		return fmt.Sprintf("%s~%q", x.Field.Name, x.Parts)
	case filter.CIDR:
		return x.Field.Name + " in " + x.Prefix
	case filter.Words:
		return fmt.Sprintf("%s has %q phrase=%t", x.Field.Name, x.Words, x.Phrase)
	}
	return fmt.Sprintf("%#v", x)
}

func showAll(xs []filter.Expr) string {
	texts := make([]string, len(xs))
	for i, x := range xs {
		texts[i] = show(x)
	}
	return strings.Join(texts, ", ")
}

func showEnd(closed, open string, v *event.Value, isClosed bool) string {
	mark := open
	if isClosed {
		mark = closed
	}
	text := "…"
	if v != nil {
		text = v.Text
	}
	if closed == "[" {
		return mark + text + " "
	}
	return text + mark
}
