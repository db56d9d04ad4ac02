// Package grok takes lines of text apart by grok patterns: expressions put together of named definitions.
package grok

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/elastic/go-grok"
	"github.com/elastic/go-grok/patterns"

	"imwatch/event"
)

// Pattern is a compiled pattern. Safe for concurrent use.
type Pattern struct {
	grok  *grok.Grok
	names []string
}

// New compiles a pattern; definitions are the user's own, by name, in front of the known ones. Their fields are the
// pattern's, too. An error says which name or definition is wrong.
func New(pattern string, definitions map[string]string) (*Pattern, error) {
	own := tight()
	maps.Copy(own, definitions)
	c := checker{all: maps.Clone(patterns.Default), user: definitions, done: map[string]bool{}}
	maps.Copy(c.all, own)
	if err := c.look(pattern, "", true); err != nil {
		return nil, err
	}
	p := &Pattern{grok: grok.New(), names: c.names}
	if err := p.grok.AddPatterns(own); err != nil {
		return nil, fmt.Errorf("taking the definitions: %w; a name is made of letters, digits and _", err)
	}
	if err := p.grok.Compile(pattern, true); err != nil {
		return nil, fmt.Errorf("compiling %q: %w", pattern, err)
	}
	return p, nil
}

// checker looks for what a pattern uses.
type checker struct {
	all, user map[string]string
	done      map[string]bool // definitions that were looked at; false: that are being
	names     []string        // of fields
}

// look goes through a text, and through the definitions that it uses. in is where it stands; ours says that its fields count.
func (c *checker) look(text, in string, ours bool) error {
	for _, m := range regexp.MustCompile(`%{(\w+)(?::([\w.]+))?(?::\w+)?}`).FindAllStringSubmatch(text, -1) {
		name, field := m[1], m[2]
		if ours && field != "" {
			if slices.Contains(c.names, field) {
				return fmt.Errorf("%s%q is taken twice", in, field)
			}
			c.names = append(c.names, field)
		}
		definition, known := c.all[name]
		if !known {
			hint := "add it to definitions"
			if near := event.Nearest(name, slices.Sorted(maps.Keys(c.all))); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return fmt.Errorf("%s%q is no known definition; %s", in, name, hint)
		}
		whole, seen := c.done[name]
		if seen && !whole {
			return fmt.Errorf("%sthe definition %q uses itself", in, name)
		}
		if seen {
			continue
		}
		c.done[name] = false
		within := in
		_, theirs := c.user[name]
		if theirs {
			within = fmt.Sprintf("definitions.%s: ", name)
		}
		if err := c.look(definition, within, theirs); err != nil {
			return err
		}
		c.done[name] = true
	}
	return nil
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
