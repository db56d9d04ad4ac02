package sms

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// condition is a comparison of one value of a JSON answer: code == "OK", result.errno != 0, data.0.ok == true.
// Several are joined by && or by ||, not both.
type condition struct {
	terms []term
	any   bool // || instead of &&
}

type term struct {
	path   []string
	negate bool
	want   string // as text: a string's content, or a literal's letters
}

// parseCondition reads a condition; an empty text is the empty condition.
func parseCondition(s string) (*condition, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil //nolint:nilnil // nil is the condition that is not there
	}
	c := &condition{any: strings.Contains(s, "||")}
	if c.any && strings.Contains(s, "&&") {
		return nil, fmt.Errorf("found both && and || in %q, expected one kind", s)
	}
	sep := "&&"
	if c.any {
		sep = "||"
	}
	for part := range strings.SplitSeq(s, sep) {
		t, err := parseTerm(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		c.terms = append(c.terms, t)
	}
	return c, nil
}

func parseTerm(s string) (term, error) {
	path, value, ok := strings.Cut(s, "==")
	t := term{}
	if !ok {
		if path, value, t.negate = strings.Cut(s, "!="); !t.negate {
			return t, fmt.Errorf(`found %q, expected a comparison such as code == "OK"`, s)
		}
	}
	path, t.want = strings.TrimSpace(path), strings.TrimSpace(value)
	if path == "" || t.want == "" || strings.ContainsAny(path, " \"") {
		return t, fmt.Errorf(`found %q, expected a comparison such as code == "OK"`, s)
	}
	t.path = strings.Split(path, ".")
	if strings.HasPrefix(t.want, `"`) {
		want, err := strconv.Unquote(t.want)
		if err != nil {
			return t, fmt.Errorf("found %s, expected a text with its closing quote", t.want)
		}
		t.want = want
	}
	return t, nil
}

// holds says whether an answer satisfies the condition. One that is not JSON does not; a value that is not there
// equals nothing.
func (c *condition) holds(answer []byte) bool {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(answer)))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return false
	}
	for _, t := range c.terms {
		text, found := lookup(v, t.path)
		if ok := (found && text == t.want) != t.negate; ok == c.any {
			return c.any
		}
	}
	return !c.any
}

func lookup(v any, path []string) (string, bool) {
	for _, p := range path {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[p]
			if !ok {
				return "", false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(x) {
				return "", false
			}
			v = x[i]
		default:
			return "", false
		}
	}
	switch v.(type) {
	case map[string]any, []any:
		return "", false
	}
	return fmt.Sprint(v), true
}
