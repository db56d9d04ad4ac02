package kql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is one fault of a query.
type Error struct {
	Offset  int // in bytes from the beginning of the query
	Column  int // the same in characters, from 1
	Message string
}

// Error prints place and message.
func (e *Error) Error() string { return fmt.Sprintf("character %d: %s", e.Column, e.Message) }

// Errors are all faults of a query, in order of their place. [errors.As] finds an *Error in it.
type Errors []*Error

// Error prints all faults, separated by semicolons.
func (es Errors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the faults one by one.
func (es Errors) Unwrap() []error {
	list := make([]error, len(es))
	for i, e := range es {
		list[i] = e
	}
	return list
}

// report notes a fault and lets the parser go on; fail notes one after which nothing more can be said.
func (p *parser) report(at int, format string, args ...any) {
	p.errs = append(p.errs, &Error{at, utf8.RuneCountInString(p.src[:at]) + 1, fmt.Sprintf(format, args...)})
}

func (p *parser) fail(at int, format string, args ...any) {
	if !p.failed {
		p.report(at, format, args...)
		p.failed = true
	}
}

// found quotes what stands at the parser's place, for messages.
func (p *parser) found() string {
	if p.i >= len(p.src) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.i:])
	if word := p.keyword(p.i); word != "" {
		return "`" + word + "`"
	}
	return "`" + string(r) + "`"
}
