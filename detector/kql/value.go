package kql

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"imwatch/event"
	"imwatch/event/filter"
)

// match makes field:value. Of several fields (a wildcard in the name) those count whose type the value fits.
func (p *parser) match(fs []filter.Field, v literal) filter.Expr {
	if v.star() && len(fs) > len(event.Fields()) {
		return filter.All{} // *: *
	}
	if p.null(v, "an event without the field is found by not "+nameOf(fs)+": *") {
		return filter.None{}
	}
	return p.each(fs, v, func(f filter.Field) (filter.Expr, error) {
		if v.star() {
			return filter.Exists{Field: f}, nil
		}
		return matchOne(f, v)
	})
}

// compare makes field > value and its likes.
func (p *parser) compare(fs []filter.Field, op string, v literal) filter.Expr {
	if v.wild() {
		p.report(v.at, "found a wildcard after %s, expected one value", op)
		return filter.None{}
	}
	if p.null(v, "nothing is less or greater than it") {
		return filter.None{}
	}
	return p.each(fs, v, func(f filter.Field) (filter.Expr, error) { return compareOne(f, op, v) })
}

func nameOf(fs []filter.Field) string {
	if len(fs) == 1 {
		return fs[0].Name
	}
	return "field"
}

// null reports the word that to Kibana is no value, and to Elasticsearch an error.
func (p *parser) null(v literal, hint string) bool {
	if v.quoted || v.text() != "null" {
		return false
	}
	p.report(v.at, "found null; %s, the text by \"null\"", hint)
	return true
}

func (p *parser) each(fs []filter.Field, v literal, one func(filter.Field) (filter.Expr, error)) filter.Expr {
	var xs []filter.Expr
	var first error
	for _, f := range fs {
		x, err := one(f)
		if err == nil {
			xs = append(xs, x)
		} else if first == nil {
			first = fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	switch {
	case len(xs) == 1:
		return xs[0]
	case len(xs) > 1:
		return filter.Or(xs)
	case len(fs) > 1:
		p.report(v.at, "%q fits none of the %d fields that the name matches; of them, %s", v.text(), len(fs), first)
	case first != nil:
		p.report(v.at, "%s", first)
	}
	return filter.None{}
}

// matchOne makes field:value for one field and a value that is more than a wildcard.
func matchOne(f filter.Field, v literal) (filter.Expr, error) {
	text := v.text()
	switch f.Type {
	case event.Keyword:
		if v.wild() {
			return filter.Pattern{Field: f, Parts: v.parts}, nil
		}
		return filter.Equal{Field: f, Value: event.KeywordValue(text)}, nil
	case event.Text:
		return matchText(f, v)
	}
	if v.wild() {
		return nil, fmt.Errorf("found %q; on a field of type %s a wildcard is allowed only alone: %s: * finds events that have the field", text, f.Type, f.Name)
	}
	switch f.Type {
	case event.Date:
		return matchDate(f, text)
	case event.IP:
		if strings.Contains(text, "/") {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fmt.Errorf("found %q, expected an IP address or a prefix, as in 192.0.2.0/24", text)
			}
			return filter.CIDR{Field: f, Prefix: prefix.Masked().String()}, nil
		}
	}
	val, err := constant(f, text)
	if err != nil {
		return nil, err
	}
	if val.Type == event.Float && f.Type == event.Long {
		return nil, fmt.Errorf("found %q, expected an integer", text)
	}
	return filter.Equal{Field: f, Value: val}, nil
}

// constant reads a value of the field's type. A fraction on an integer field gives a Float, for ranges.
func constant(f filter.Field, text string) (event.Value, error) {
	want := ""
	switch f.Type {
	case event.Long:
		want = "a number"
		if n, err := strconv.ParseFloat(text, 64); err == nil && n != math.Trunc(n) {
			if v, ok := event.Parse(event.Float, text); ok {
				return v, nil
			}
		}
	case event.Float:
		want = "a number"
	case event.Bool:
		want = "true or false"
	case event.IP:
		want = "an IP address"
	case event.GeoPoint, event.Flattened:
		return event.Value{}, fmt.Errorf("found %q; a field of type %s can only be asked for: %s: *", text, f.Type, f.Name)
	}
	v, ok := event.Parse(f.Type, text)
	if !ok {
		return v, fmt.Errorf("found %q, expected %s", text, want)
	}
	return v, nil
}

func compareOne(f filter.Field, op string, v literal) (filter.Expr, error) {
	text := v.text()
	switch f.Type {
	case event.Text, event.Bool, event.GeoPoint, event.Flattened:
		return nil, fmt.Errorf("found %s on a field of type %s, which has no order; allowed is %s: value", op, f.Type, f.Name)
	case event.Date:
		return compareDate(f, op, text)
	case event.Keyword:
		return bounded(f, op, event.KeywordValue(text)), nil
	}
	val, err := constant(f, text)
	if err != nil {
		return nil, err
	}
	return bounded(f, op, val), nil
}

func bounded(f filter.Field, op string, v event.Value) filter.Expr {
	closed := strings.HasSuffix(op, "=")
	if op[0] == '>' {
		return filter.Range{Field: f, From: &v, FromClosed: closed}
	}
	return filter.Range{Field: f, To: &v, ToClosed: closed}
}

// matchText searches a text: a phrase in quotes, else any of the words; a word with wildcards matches one word.
func matchText(f filter.Field, v literal) (filter.Expr, error) {
	none := fmt.Errorf("found %q, expected at least one word to look for", v.text())
	if v.quoted || !v.wild() {
		words := filter.Tokenize(v.text())
		if len(words) == 0 {
			return nil, none
		}
		return filter.Words{Field: f, Words: words, Phrase: v.quoted}, nil
	}
	var xs []filter.Expr
	var plain []string
	for _, parts := range splitWords(v.parts) {
		switch {
		case len(parts) == 2 && strings.Join(parts, "") == "": // more stars than one want a word
			xs = append(xs, filter.Exists{Field: f})
		case len(parts) > 1:
			xs = append(xs, filter.Pattern{Field: f, Parts: parts})
		default:
			plain = append(plain, filter.Tokenize(parts[0])...)
		}
	}
	if len(plain) > 0 {
		xs = append(xs, filter.Words{Field: f, Words: plain})
	}
	if len(xs) == 1 {
		return xs[0], nil
	}
	return filter.Or(xs), nil
}

// splitWords cuts a text with wildcards at the spaces that Elasticsearch's query_string knows: {"foo ba", " x"} (foo ba* x) gives foo, ba* and x.
func splitWords(parts []string) [][]string {
	var words [][]string
	current := []string{""}
	end := func() {
		if len(current) > 1 || current[0] != "" {
			words = append(words, current)
		}
		current = []string{""}
	}
	for i, part := range parts {
		if i > 0 {
			current = append(current, "")
		}
		for _, r := range part {
			if strings.ContainsRune(" \t\r\n\u3000", r) {
				end()
				continue
			}
			current[len(current)-1] += strings.ToLower(string(r))
		}
	}
	end()
	return words
}
