package kql

import (
	"slices"
	"strings"

	"imwatch/event/filter"
)

// maxDepth bounds nested parentheses and nots, so that no query can exhaust the stack.
const maxDepth = 100

// Parse reads a query. An empty one is true for every event. A faulty one gives [Errors] with every fault that could
// be found, and no expression.
func Parse(src string) (filter.Expr, error) {
	p := &parser{src: src}
	p.space()
	var x filter.Expr = filter.All{}
	if p.i < len(src) {
		x = p.or(p.and, 0)
	}
	if !p.failed && p.i < len(src) {
		p.unexpected()
	}
	if len(p.errs) > 0 {
		slices.SortStableFunc(p.errs, func(a, b *Error) int { return a.Offset - b.Offset })
		return nil, p.errs
	}
	return x, nil
}

// parser walks over src. After failed nothing is read any more; errs without failed are faults of meaning.
type parser struct {
	src    string
	i      int
	errs   Errors
	failed bool
}

// unexpected says what is wrong at a place where only and, or, or the end can stand.
func (p *parser) unexpected() {
	switch p.src[p.i] {
	case ')':
		p.fail(p.i, "found `)` without its `(`")
	case ':':
		p.fail(p.i, "found a second `:`, expected `and`, `or` or the end; a value that holds `:` must be in quotes, as in client.ip: \"2001:db8::1\"")
	default:
		p.fail(p.i, "found %s, expected `and`, `or` or the end; a value that holds special characters or the words and, or, not must be in quotes", p.found())
	}
}

// or reads part {or part}, with and binding tighter.
func (p *parser) or(part func(int) filter.Expr, depth int) filter.Expr {
	return p.chain("or", part, depth, func(xs []filter.Expr) filter.Expr { return filter.Or(xs) })
}

func (p *parser) chain(word string, part func(int) filter.Expr, depth int, join func([]filter.Expr) filter.Expr) filter.Expr {
	xs := []filter.Expr{part(depth)}
	for !p.failed && p.take(word) {
		xs = append(xs, part(depth))
	}
	if len(xs) == 1 {
		return xs[0]
	}
	return join(xs)
}

func (p *parser) and(depth int) filter.Expr { return p.andOf(p.not, depth) }

func (p *parser) andOf(part func(int) filter.Expr, depth int) filter.Expr {
	return p.chain("and", part, depth, func(xs []filter.Expr) filter.Expr { return filter.And(xs) })
}

func (p *parser) not(depth int) filter.Expr {
	if depth > maxDepth {
		p.fail(p.i, "nested deeper than %d", maxDepth)
	}
	if p.failed {
		return filter.None{}
	}
	if p.take("not") {
		return filter.Not{X: p.not(depth + 1)}
	}
	if !p.open() {
		return p.expression()
	}
	x := p.or(p.and, depth+1)
	p.shut()
	return x
}

// open takes a parenthesis and the space after it.
func (p *parser) open() bool {
	if p.i >= len(p.src) || p.src[p.i] != '(' {
		return false
	}
	p.i++
	p.space()
	return true
}

func (p *parser) shut() {
	if p.failed {
		return
	}
	if p.i >= len(p.src) {
		p.fail(p.i, "found the end, expected `)`")
		return
	}
	if p.src[p.i] != ')' {
		p.unexpected()
		return
	}
	p.i++
	p.space()
}

// expression reads field:value, field:(list) or field > value.
func (p *parser) expression() filter.Expr {
	at := p.i
	name, ok := p.literal("a field")
	if !ok {
		return filter.None{}
	}
	p.space()
	if p.i < len(p.src) && p.src[p.i] == ':' {
		p.i++
		p.space()
		if p.braced() {
			return filter.None{}
		}
		return p.values(p.fields(name), 0)
	}
	if op := p.rangeOp(); op != "" {
		p.i += len(op)
		p.space()
		return p.rangeValue(p.fields(name), op)
	}
	p.bareWord(at, name)
	return filter.None{}
}

func (p *parser) bareWord(at int, name literal) {
	text := name.text()
	switch {
	case p.i < len(p.src) && (p.src[p.i] == '{' || p.src[p.i] == '('):
		p.fail(p.i, "found %s after %q, expected `:` or one of > >= < <=", p.found(), text)
	case !name.quoted && strings.ContainsAny(text, "：（）“”＂＊＞＜"):
		p.fail(at, "found %q with full-width punctuation; KQL is written with the signs : ( ) \" * > < of ASCII", text)
	case !name.quoted && strings.Contains(text, "="):
		p.fail(at, "found %q without a field; equality is written with a colon, as in event.action: connect", text)
	case !name.quoted && (strings.Contains(text, "&&") || strings.Contains(text, "||")):
		p.fail(at, "found %q without a field; conditions are joined by the words and, or", text)
	default:
		p.fail(at, "found %q without a field; write field: value, as in message: %s", text, quoteIfNeeded(text))
	}
}

func quoteIfNeeded(s string) string {
	if strings.ContainsAny(s, " \t\r\n\\():<>\"*{}") || s == "" {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

// values reads a value, or a list of them in parentheses with and, or, not.
func (p *parser) values(fs []filter.Field, depth int) filter.Expr {
	one := func(depth int) filter.Expr { return p.notValue(fs, depth) }
	if !p.open() {
		return p.value(fs)
	}
	x := p.or(func(depth int) filter.Expr { return p.andOf(one, depth) }, depth+1)
	p.shut()
	return x
}

func (p *parser) notValue(fs []filter.Field, depth int) filter.Expr {
	if depth > maxDepth {
		p.fail(p.i, "nested deeper than %d", maxDepth)
	}
	if p.failed {
		return filter.None{}
	}
	if p.take("not") {
		return filter.Not{X: p.notValue(fs, depth+1)}
	}
	return p.values(fs, depth)
}

// braced reports a nested condition.
func (p *parser) braced() bool {
	if p.i >= len(p.src) || p.src[p.i] != '{' {
		return false
	}
	p.fail(p.i, "found `{`: nested conditions are not allowed, events have no nested objects; write the dotted name of each field")
	return true
}

func (p *parser) value(fs []filter.Field) filter.Expr {
	if p.braced() {
		return filter.None{}
	}
	v, ok := p.constant()
	if !ok {
		return filter.None{}
	}
	return p.match(fs, v)
}

// constant reads a value and the space after it. A colon there is reported before the value is looked at: half an
// IPv6 address would give a misleading message.
func (p *parser) constant() (literal, bool) {
	v, ok := p.literal("a value")
	if !ok {
		return v, false
	}
	p.space()
	if p.i < len(p.src) && p.src[p.i] == ':' {
		p.unexpected()
		return v, false
	}
	return v, true
}

func (p *parser) rangeOp() string {
	for _, op := range []string{">=", "<=", ">", "<"} { // the longer first
		if strings.HasPrefix(p.src[p.i:], op) {
			return op
		}
	}
	return ""
}

func (p *parser) rangeValue(fs []filter.Field, op string) filter.Expr {
	if p.i < len(p.src) && p.src[p.i] == '(' {
		p.fail(p.i, "found `(` after %s, expected one value", op)
		return filter.None{}
	}
	v, ok := p.constant()
	if !ok {
		return filter.None{}
	}
	return p.compare(fs, op, v)
}
