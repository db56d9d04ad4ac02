package route

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"imwatch/event"
)

// Matcher is one condition on an alert. Immutable and safe for concurrent use.
type Matcher struct {
	name   string
	of     func(*event.Alert) string
	negate bool
	values []string
	re     *regexp.Regexp // instead of values
}

// ParseMatcher reads a matcher:
//
//	severity = critical
//	rule != node-down
//	labels.team =~ "im|core"
//	key.service.node.name in [node-1, "node 2"]
//
// The names are severity, rule, status, state, labels.NAME and key.FIELD; one that the alert lacks is "". =~ and !~
// match the whole value; in and "not in" take a list. Values may stand in double quotes.
func ParseMatcher(s string) (Matcher, error) {
	s = strings.TrimSpace(s)
	end := strings.IndexAny(s, " =!~")
	if end <= 0 {
		return Matcher{}, fmt.Errorf("found %q, expected a matcher such as severity = high or labels.team in [im, core]", s)
	}
	name, rest := s[:end], strings.TrimSpace(s[end:])
	of, err := accessor(name)
	if err != nil {
		return Matcher{}, err
	}
	m := Matcher{name: name, of: of}
	op, value := cutOp(rest)
	m.negate = strings.HasPrefix(op, "!") || strings.HasPrefix(op, "not")
	switch op {
	case "=", "!=":
		v, err := unquote(value)
		m.values = []string{v}
		return m, err
	case "=~", "!~":
		v, err := unquote(value)
		if err != nil {
			return Matcher{}, err
		}
		if m.re, err = regexp.Compile("^(?s:" + v + ")$"); err != nil {
			return Matcher{}, fmt.Errorf("reading the expression of %s: %w", name, err)
		}
		return m, nil
	case "in", "not in":
		m.values, err = list(value)
		return m, err
	}
	return Matcher{}, fmt.Errorf("found %q behind %s, expected one of =, !=, =~, !~, in, not in", rest, name)
}

// cutOp splits what follows the name.
func cutOp(s string) (op, value string) {
	for _, op := range []string{"=~", "!~", "!=", "=", "not in", "in"} {
		if rest, ok := strings.CutPrefix(s, op); ok && (op[len(op)-1] != 'n' || strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "[")) {
			return op, strings.TrimSpace(rest)
		}
	}
	return "", s
}

func accessor(name string) (func(*event.Alert) string, error) {
	switch name {
	case "severity":
		return func(a *event.Alert) string { return a.Severity }, nil
	case "rule":
		return func(a *event.Alert) string { return a.RuleID }, nil
	case "status":
		return func(a *event.Alert) string { return a.Status }, nil
	case "state":
		return func(a *event.Alert) string { return a.State }, nil
	}
	if label, ok := strings.CutPrefix(name, "labels."); ok && label != "" {
		return func(a *event.Alert) string { return a.Labels[label] }, nil
	}
	if field, ok := strings.CutPrefix(name, "key."); ok && field != "" {
		return func(a *event.Alert) string { return keyValue(a, field) }, nil
	}
	return nil, fmt.Errorf("unknown name %q, expected severity, rule, status, state, labels.NAME or key.FIELD", name)
}

func keyValue(a *event.Alert, field string) string {
	for _, p := range a.Key {
		if p.Field == field {
			return p.Value
		}
	}
	return ""
}

func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	v, err := strconv.Unquote(s)
	if err != nil {
		return "", fmt.Errorf("found %s, expected a text with its closing quote", s)
	}
	return v, nil
}

// list reads [a, "b, c"].
func list(s string) ([]string, error) {
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") || len(s) < 2 {
		return nil, fmt.Errorf("found %q, expected a list such as [high, critical]", s)
	}
	var values []string
	for rest := strings.TrimSpace(s[1 : len(s)-1]); rest != ""; {
		item := rest
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && quoted[0] == '"' {
			item = quoted
		} else if i := strings.IndexByte(rest, ','); i >= 0 {
			item = rest[:i]
		}
		rest = strings.TrimSpace(rest[len(item):])
		if rest != "" && rest[0] != ',' {
			return nil, fmt.Errorf("found %q, expected a comma", rest)
		}
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
		v, err := unquote(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("found %q, expected at least one value", s)
	}
	return values, nil
}

// Match says whether the alert satisfies the condition.
func (m Matcher) Match(a *event.Alert) bool {
	v := m.of(a)
	ok := slices.Contains(m.values, v)
	if m.re != nil {
		ok = m.re.MatchString(v)
	}
	return ok != m.negate
}
