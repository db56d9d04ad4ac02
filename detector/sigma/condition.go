package sigma

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// token is a word or a mark of a condition.
type token struct {
	text   string
	offset int
}

var tokenForm = regexp.MustCompile(`[()|]|[^\s()|]+`)

// conditionParser reads the condition language: or, and, not, parentheses, 1 of and all of.
type conditionParser struct {
	c        *converter
	d        *doc
	n        *yaml.Node
	tokens   []token
	searches map[string]filter.Expr
	used     map[string]bool
	failed   bool
}

func (c *converter) condition(d *doc, n *yaml.Node, searches map[string]filter.Expr, used map[string]bool) filter.Expr {
	p := &conditionParser{c: c, d: d, n: n, searches: searches, used: used}
	for _, at := range tokenForm.FindAllStringIndex(n.Value, -1) {
		p.tokens = append(p.tokens, token{n.Value[at[0]:at[1]], at[0]})
	}
	x := p.or(0)
	if !p.failed && len(p.tokens) > 0 {
		if p.tokens[0].text == "|" {
			p.fail("found an aggregation after |, which is obsolete; write a correlation, as in correlation: {type: event_count, …}")
		} else {
			p.fail("found %q, expected and, or or the end", p.tokens[0].text)
		}
	}
	if p.failed {
		return nil
	}
	return x
}

// maxDepth bounds nested parentheses and nots.
const maxDepth = 100

func (p *conditionParser) fail(format string, args ...any) {
	if p.failed {
		return
	}
	p.failed = true
	offset := len(p.n.Value)
	if len(p.tokens) > 0 {
		offset = p.tokens[0].offset
	}
	p.c.failIn(p.d, p.n, offset, "condition: "+format, args...)
}

// take takes the next token if it is this word.
func (p *conditionParser) take(word string) bool {
	if !p.failed && len(p.tokens) > 0 && strings.EqualFold(p.tokens[0].text, word) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *conditionParser) or(depth int) filter.Expr {
	xs := []filter.Expr{p.and(depth)}
	for p.take("or") {
		xs = append(xs, p.and(depth))
	}
	return join(xs, false)
}

func (p *conditionParser) and(depth int) filter.Expr {
	xs := []filter.Expr{p.not(depth)}
	for p.take("and") {
		xs = append(xs, p.not(depth))
	}
	return join(xs, true)
}

func (p *conditionParser) not(depth int) filter.Expr {
	if depth > maxDepth {
		p.fail("nested deeper than %d", maxDepth)
	}
	if p.take("not") {
		return filter.Not{X: p.not(depth + 1)}
	}
	if p.take("(") {
		x := p.or(depth + 1)
		if !p.take(")") {
			p.fail("expected a closing parenthesis")
		}
		return x
	}
	return p.name()
}

// name reads a search identifier, or "1 of" and "all of" with a pattern of them.
func (p *conditionParser) name() filter.Expr {
	if p.failed {
		return filter.None{}
	}
	if len(p.tokens) == 0 || slices.Contains([]string{"and", "or", ")", "|"}, strings.ToLower(p.tokens[0].text)) {
		p.fail("expected a search identifier; there are %s", p.names())
		return filter.None{}
	}
	word := p.tokens[0]
	if len(p.tokens) > 1 && strings.EqualFold(p.tokens[1].text, "of") {
		return p.of(word)
	}
	x, ok := p.searches[word.text]
	if !ok {
		p.fail("there is no search identifier %q%s; there are %s", word.text, p.nearest(word.text), p.names())
		return filter.None{}
	}
	p.tokens = p.tokens[1:]
	p.used[word.text] = true
	return p.expr(x)
}

func (p *conditionParser) of(word token) filter.Expr {
	all := strings.EqualFold(word.text, "all")
	if !all && word.text != "1" && !strings.EqualFold(word.text, "any") {
		p.fail("found %q of, expected 1 of, any of or all of", word.text)
		return filter.None{}
	}
	p.tokens = p.tokens[2:]
	if len(p.tokens) == 0 {
		p.fail("expected a pattern of search identifiers after of, or them")
		return filter.None{}
	}
	var xs []filter.Expr
	for _, name := range slices.Sorted(maps.Keys(p.searches)) {
		if matches(p.tokens[0].text, name) {
			p.used[name] = true
			xs = append(xs, p.expr(p.searches[name]))
		}
	}
	if len(xs) == 0 {
		p.fail("no search identifier matches %q; there are %s", p.tokens[0].text, p.names())
		return filter.None{}
	}
	p.tokens = p.tokens[1:]
	return join(xs, all)
}

// expr gives a converted search; one that could not be converted is reported already.
func (p *conditionParser) expr(x filter.Expr) filter.Expr {
	if x == nil {
		p.failed = true
		return filter.None{}
	}
	return x
}

// matches says whether a pattern names a search identifier; them are all that do not begin with an underscore.
func matches(pattern, name string) bool {
	if strings.EqualFold(pattern, "them") {
		return !strings.HasPrefix(name, "_")
	}
	form := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	return regexp.MustCompile("^" + form + "$").MatchString(name)
}

func (p *conditionParser) names() string {
	if len(p.searches) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(p.searches)), ", ")
}

func (p *conditionParser) nearest(name string) string {
	if near := event.Nearest(name, slices.Sorted(maps.Keys(p.searches))); near != "" {
		return "; the nearest is \"" + near + "\""
	}
	return ""
}
