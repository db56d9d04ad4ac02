// Package grok takes lines of text apart by grok patterns: expressions put together of named definitions.
package grok

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/elastic/go-grok"

	"imwatch/event"
)

// Pattern is a compiled pattern. Safe for concurrent use.
type Pattern struct {
	grok  *grok.Grok
	names []string
}

// New compiles a pattern; definitions are the user's own, by name, in front of the known ones. An error says which name
// or definition is wrong.
func New(pattern string, definitions map[string]string) (*Pattern, error) {
	p := &Pattern{grok: grok.New()}
	for _, m := range regexp.MustCompile(`%{\w+:([\w.]+)(?::\w+)?}`).FindAllStringSubmatch(pattern, -1) {
		if slices.Contains(p.names, m[1]) {
			return nil, fmt.Errorf("%q is taken twice", m[1])
		}
		p.names = append(p.names, m[1])
	}
	own := tight()
	maps.Copy(own, definitions)
	if err := p.grok.AddPatterns(own); err != nil {
		return nil, fmt.Errorf("taking the definitions: %w; a name is made of letters, digits and _", err)
	}
	if err := p.grok.Compile(pattern, true); err != nil {
		return nil, explain(err, pattern, own)
	}
	return p, nil
}

// explain names the definition that a pattern uses and nobody has made.
func explain(err error, pattern string, own map[string]string) error {
	if !errors.Is(err, grok.ErrParseFailure) {
		return fmt.Errorf("compiling %q: %w", pattern, err)
	}
	known := slices.Sorted(maps.Keys(own))
	for _, m := range regexp.MustCompile(`%{(\w+)`).FindAllStringSubmatch(pattern, -1) {
		if g := grok.New(); slices.Contains(known, m[1]) || g.Compile("%{"+m[1]+"}", true) == nil {
			continue
		}
		if near := event.Nearest(m[1], known); near != "" {
			return fmt.Errorf("%q is no known definition; did you mean %q?", m[1], near)
		}
		return fmt.Errorf("%q is no known definition; add it to definitions", m[1])
	}
	return fmt.Errorf("compiling %q: %w", pattern, err)
}

// Names gives the names of the fields, in the order of Match's values.
func (p *Pattern) Names() []string { return slices.Clone(p.names) }

// Match puts the values of the fields into dst, which must be as long as Names, and says whether the line fits. A field
// that took nothing is "".
func (p *Pattern) Match(line string, dst []string) bool {
	if len(p.names) == 0 {
		return p.grok.MatchString(line)
	}
	found, err := p.grok.ParseString(line)
	if err != nil || len(found) == 0 {
		return false
	}
	for i, name := range p.names {
		dst[i] = found[name]
	}
	return true
}

// tight replaces the stock definitions of the library where those are slow: what an address or a date really is gets
// checked once it is found, not by the expression.
func tight() map[string]string {
	return map[string]string{
		"IP":                `[0-9A-Fa-f:.]+`,
		"IPV4":              `[0-9.]+`,
		"IPV6":              `[0-9A-Fa-f:.]+`,
		"IPORHOST":          `[0-9A-Za-z:._-]+`,
		"HOSTNAME":          `[0-9A-Za-z._-]+`,
		"NUMBER":            `[+-]?[0-9]+(?:\.[0-9]+)?`,
		"INT":               `[+-]?[0-9]+`,
		"WORD":              `\w+`,
		"HTTPDATE":          `[0-9]+/[A-Za-z]+/[0-9]+:[0-9:]+ [+-][0-9]+`,
		"TIMESTAMP_ISO8601": `[0-9]+-[0-9]+-[0-9]+[T ][0-9:]+(?:[.,][0-9]+)?(?:Z|[+-][0-9:]+)?`,
		"GIN_TIME":          `[0-9]+/[0-9]+/[0-9]+ - [0-9:]+`,
		"STATUS":            `[0-9]{3}`,
		"METHOD":            `[A-Z]+`,
		"SECONDS":           `[0-9]+\.[0-9]+`,
		"QUOTED":            `(?:[^"\\]|\\.)*`,
	}
}
