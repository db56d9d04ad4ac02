package kql_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"

	"pgregory.net/rapid"
)

// A condition written as KQL must select the same events after it was read, however it was written.
func TestWrittenConditionsAreReadAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t}
		want := w.expr(3)
		src := w.write(want)
		got, err := kql.Parse(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		before, after := filter.Compile(want), filter.Compile(got)
		for range 20 {
			e := w.event()
			if before(e) != after(e) {
				t.Fatalf("%s\nmade %s\nread %s\ndiffer on %s", src, show(want), show(got), e.AppendJSON(nil))
			}
		}
	})
}

// writer draws conditions and events over few fields and values, so that they often meet.
type writer struct{ t *rapid.T }

func (w writer) pick(what string, n int) int { return rapid.IntRange(0, n-1).Draw(w.t, what) }

func field(name string) filter.Field {
	f, ok := event.FieldByName(name)
	if !ok {
		panic(name)
	}
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

func words() []string {
	return []string{"a", "ab", "b c", "or", "x and y", "not b", `q"u`, `back\slash`, "st*r", "(p)", "a:b", "日本", "null", "*", " lead", "tab\t", "AB", "{n}", "<5"}
}

func (w writer) word() string { return rapid.SampledFrom(words()).Draw(w.t, "word") }

func (w writer) expr(depth int) filter.Expr {
	kinds := 12
	if depth == 0 {
		kinds = 9
	}
	switch w.pick("kind", kinds) {
	case 0:
		return filter.Exists{Field: field([]string{"user.id", "client.ip", "im.close.code", "message"}[w.pick("field", 4)])}
	case 1, 2:
		return filter.Equal{Field: field([]string{"user.id", "labels.x"}[w.pick("field", 2)]), Value: event.KeywordValue(w.word())}
	case 3:
		return filter.Equal{Field: field("im.close.code"), Value: event.LongValue(int64(w.pick("n", 5)))}
	case 4:
		return w.bounds()
	case 5:
		return filter.Pattern{Field: field("user.id"), Parts: [][]string{{"a", ""}, {"", "b"}, {"", "*", ""}, {"x ", " y"}, {"", "日", ""}, {"a", "b", ""}}[w.pick("pattern", 6)]}
	case 6:
		return filter.CIDR{Field: field("client.ip"), Prefix: []string{"192.0.2.0/31", "192.0.2.0/24", "2001:db8::/32"}[w.pick("prefix", 3)]}
	case 7:
		return filter.Words{Field: field("message"), Words: [][]string{{"out"}, {"out", "of"}, {"of", "out"}}[w.pick("words", 3)], Phrase: w.pick("phrase", 2) == 1}
	case 8:
		return filter.Equal{Field: field("@timestamp"), Value: event.DateValue(w.instant())}
	case 9:
		return filter.Not{X: w.expr(depth - 1)}
	case 10:
		return filter.And{w.expr(depth - 1), w.expr(depth - 1)}
	}
	return filter.Or{w.expr(depth - 1), w.expr(depth - 1), w.expr(depth - 1)}
}

func (w writer) bounds() filter.Expr {
	r := filter.Range{FromClosed: w.pick("from closed", 2) == 1, ToClosed: w.pick("to closed", 2) == 1}
	var a, b event.Value
	switch w.pick("type", 4) {
	case 0:
		r.Field, a, b = field("im.close.code"), event.LongValue(int64(w.pick("a", 5))), event.LongValue(int64(w.pick("b", 5)))
	case 1:
		r.Field, a, b = field("@timestamp"), event.DateValue(w.instant()), event.DateValue(w.instant())
	case 2:
		r.Field, a, b = field("user.id"), event.KeywordValue(w.word()), event.KeywordValue(w.word())
	default:
		r.Field, a, b = field("client.ip"), event.IPValue(w.address()), event.IPValue(w.address())
	}
	switch w.pick("ends", 3) {
	case 0:
		r.From = &a
	case 1:
		r.To = &b
	default:
		r.From, r.To = &a, &b
	}
	return r
}

func (w writer) instant() time.Time {
	return time.Date(2026, 11, 21, 10, 0, w.pick("second", 3), w.pick("half", 2)*500_000_000+w.pick("nano", 2), time.UTC)
}

func (w writer) address() string {
	return []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "::ffff:192.0.2.1"}[w.pick("address", 4)]
}

func (w writer) event() *event.Event {
	e := &event.Event{}
	e.SetTime(event.FieldTimestamp, w.instant())
	if w.pick("has user", 4) > 0 {
		e.SetText(event.FieldUserID, w.word())
	}
	if w.pick("has label", 4) > 0 {
		e.SetLabel("x", w.word())
	}
	if w.pick("has code", 4) > 0 {
		e.SetInt(event.FieldCloseCode, int64(w.pick("code", 5)))
	}
	if w.pick("has ip", 4) > 0 {
		e.SetText(event.FieldClientIP, w.address())
	}
	e.SetText(event.FieldMessage, []string{"", "Out of memory", "of course", "in"}[w.pick("message", 4)])
	return e
}

// write renders a condition in one of the many ways that KQL has for it.
func (w writer) write(x filter.Expr) string {
	switch x := x.(type) {
	case filter.And:
		return w.join(" and ", x)
	case filter.Or:
		return w.join(" or ", x)
	case filter.Not:
		return w.keyword("not ") + "(" + w.write(x.X) + ")"
	case filter.Exists:
		return x.Field.Name + w.colon() + "*"
	case filter.Equal:
		return x.Field.Name + w.colon() + w.value(x.Value.Text)
	case filter.Range:
		var ends []string
		if x.From != nil {
			ends = append(ends, x.Field.Name+map[bool]string{true: " >= ", false: " > "}[x.FromClosed]+w.value(x.From.Text))
		}
		if x.To != nil {
			ends = append(ends, x.Field.Name+map[bool]string{true: "<=", false: "<"}[x.ToClosed]+w.value(x.To.Text))
		}
		return "(" + strings.Join(ends, w.keyword(" and ")) + ")"
	case filter.Pattern:
		parts := make([]string, len(x.Parts))
		for i, p := range x.Parts {
			parts[i] = escaped(p)
		}
		return x.Field.Name + w.colon() + strings.Join(parts, "*")
	case filter.CIDR:
		return x.Field.Name + w.colon() + `"` + x.Prefix + `"`
	case filter.Words:
		if x.Phrase {
			return x.Field.Name + w.colon() + `"` + strings.Join(x.Words, " ") + `"`
		}
		if w.pick("as list", 2) == 1 {
			return x.Field.Name + w.colon() + "(" + strings.Join(x.Words, w.keyword(" or ")) + ")"
		}
		return x.Field.Name + w.colon() + strings.Join(x.Words, " ")
	}
	panic(fmt.Sprintf("cannot write %#v", x))
}

func (w writer) join(word string, xs []filter.Expr) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = "(" + w.write(x) + ")"
	}
	return strings.Join(parts, w.keyword(word))
}

func (w writer) keyword(s string) string {
	return []string{s, strings.ToUpper(s), "\n" + s}[w.pick("case", 3)]
}

func (w writer) colon() string { return []string{":", ": ", " : "}[w.pick("colon", 3)] }

// value writes a constant in quotes or, where spaces at its ends do not hinder, with escapes.
func (w writer) value(s string) string {
	if w.pick("quoted", 2) == 1 || strings.TrimSpace(s) != s || s == "null" {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return escaped(s)
}

func escaped(s string) string {
	var b strings.Builder
	for _, word := range strings.SplitAfter(s, " ") {
		switch strings.TrimSpace(word) {
		case "and", "or", "not":
			b.WriteByte('\\')
		}
		for _, r := range word {
			if strings.ContainsRune(`\():<>"*{}`, r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

func FuzzKQL(f *testing.F) {
	for _, src := range []string{
		"", `status:500 AND path:"/ws/connect"`, "not (level: (error or fatal) and client.ip: 192.0.2.0/24)", `user.id: \uD83D\uDE00 "`,
		"@timestamp > 2026-11-21 or im.*: *", "a: {b: c}", `message: "\t" and x`, "((((", "\u00a0and", "event.duration >= 1.5 or status: 1e9",
	} {
		f.Add(src)
	}
	var e event.Event
	if err := event.Decode([]byte(line), &e); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		x, err := kql.Parse(src)
		if err == nil {
			filter.Compile(x)(&e)
			return
		}
		all, ok := err.(kql.Errors) //nolint:errorlint // Parse promises the type itself
		if !ok || len(all) == 0 || x != nil {
			t.Fatalf("%q: got %v and %#v", src, x, err)
		}
		for _, one := range all {
			if one.Offset < 0 || one.Offset > len(src) || one.Column < 1 || one.Message == "" {
				t.Fatalf("%q: %+v", src, one)
			}
		}
	})
}
