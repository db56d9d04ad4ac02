package sqlite

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"imwatch/event"
	"imwatch/event/filter"
)

// clause is a condition in SQL that is never NULL. exact says that it is true for just the documents meant; else
// it is true for those and for others, so hits need filter.Compile.
type clause struct {
	sql   string
	args  []any
	exact bool
}

// anything lets all documents through to the exact filter.
func anything() clause { return clause{sql: "1"} }

// render says what SQL can decide of an expression on documents that are not odd.
func render(x filter.Expr) clause {
	switch x := x.(type) {
	case nil, filter.All:
		return clause{sql: "1", exact: true}
	case filter.None:
		return clause{sql: "0", exact: true}
	case filter.And:
		return join(x, " AND ", "1")
	case filter.Or:
		return or(x)
	case filter.Not:
		c := render(x.X)
		if !c.exact { // the complement of too many would be too few
			return anything()
		}
		return clause{"NOT " + c.sql, c.args, true}
	case filter.Exists:
		return exists(x.Field)
	case filter.Equal:
		return equal(x)
	case filter.Range:
		return between(x)
	case filter.Pattern:
		return pattern(x)
	}
	return anything()
}

// maxArgs is how many values a statement may carry; SQLite takes 32,766.
const maxArgs = 30_000

func join(parts []filter.Expr, op, none string) clause {
	clauses := make([]clause, len(parts))
	for i, p := range parts {
		clauses[i] = render(p)
	}
	return joinClauses(clauses, op, none)
}

func joinClauses(parts []clause, op, none string) clause {
	if len(parts) == 0 {
		return clause{sql: none, exact: true}
	}
	all := clause{exact: true}
	texts := make([]string, 0, len(parts))
	for _, c := range parts {
		texts = append(texts, c.sql)
		all.args, all.exact = append(all.args, c.args...), all.exact && c.exact
	}
	if len(all.args) > maxArgs {
		return anything()
	}
	all.sql = balanced(texts, op)
	return all
}

// balanced nests a long chain as a shallow tree: SQLite refuses expressions deeper than 1,000.
func balanced(texts []string, op string) string {
	if len(texts) <= 50 {
		return "(" + strings.Join(texts, op) + ")"
	}
	half := len(texts) / 2
	return "(" + balanced(texts[:half], op) + op + balanced(texts[half:], op) + ")"
}

// columnOf gives the column that holds a field, "" where there is none.
func columnOf(f filter.Field) string {
	switch f.ID {
	case event.NoField:
		return ""
	case event.FieldTimestamp:
		return "ts"
	case event.FieldEventIngested:
		return "ingested"
	}
	for _, h := range hotColumns() {
		if h.field == f.ID {
			return h.name
		}
	}
	return ""
}

func exists(f filter.Field) clause {
	switch col := columnOf(f); col {
	case "":
		return anything()
	case "ts":
		return clause{"(ts <> ?)", []any{int64(absent)}, true}
	default:
		return clause{"(" + col + " IS NOT NULL)", nil, true}
	}
}

// constant gives what a column is compared with, if that means the same to SQL as to filter.Compile.
func constant(f filter.Field, v event.Value) (any, bool) {
	t := event.FieldByID(f.ID).Type
	switch {
	case v.Type != t || v.List != nil:
		return nil, false
	case t == event.Date:
		return v.UnixNano(), v.UnixNano() != absent
	case t == event.Long:
		return v.Int(), true
	case t == event.IP:
		a, err := netip.ParseAddr(v.Text)
		return a.Unmap().String(), err == nil && a.Zone() == ""
	}
	return v.Text, t == event.Keyword && plain(v.Text)
}

func plain(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func equal(x filter.Equal) clause {
	col := columnOf(x.Field)
	if col == "" {
		return anything()
	}
	v, ok := constant(x.Field, x.Value)
	if !ok {
		return anything()
	}
	return clause{"(" + col + " IS ?)", []any{v}, true}
}

func between(x filter.Range) clause {
	col := columnOf(x.Field)
	if col == "" || event.FieldByID(x.Field.ID).Type == event.IP {
		return anything()
	}
	c := exists(x.Field)
	for _, end := range []struct {
		v            *event.Value
		closed, open string
		isClosed     bool
	}{{x.From, ">=", ">", x.FromClosed}, {x.To, "<=", "<", x.ToClosed}} {
		if end.v == nil {
			continue
		}
		v, ok := constant(x.Field, *end.v)
		if !ok {
			return anything()
		}
		op := end.open
		if end.isClosed {
			op = end.closed
		}
		c.sql += " AND " + col + " " + op + " ?"
		c.args = append(c.args, v)
	}
	c.sql = "(" + c.sql + ")"
	return c
}

const longPattern = 1000 // SQLite refuses very long ones

// pattern renders stars as GLOB, which compares by bytes.
func pattern(x filter.Pattern) clause {
	col := columnOf(x.Field)
	if col == "" || event.FieldByID(x.Field.ID).Type != event.Keyword {
		return anything()
	}
	escape := strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")
	parts := make([]string, len(x.Parts))
	for i, p := range x.Parts {
		parts[i] = escape.Replace(p)
	}
	glob := strings.Join(parts, "*")
	if len(glob) > longPattern || !plain(glob) {
		return anything()
	}
	return clause{"(" + col + " IS NOT NULL AND " + col + " GLOB ?)", []any{glob}, true}
}
