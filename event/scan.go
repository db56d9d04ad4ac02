package event

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads strict JSON tokens (RFC 8259) from a string.
type scanner struct {
	s string
	i int
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (d *scanner) space() {
	if d.i < len(d.s) && d.s[d.i] <= ' ' {
		d.spaces()
	}
}

func (d *scanner) spaces() {
	for d.i < len(d.s) && isSpace(d.s[d.i]) {
		d.i++
	}
}

// peek gives the byte at hand, 0 at the end.
func (d *scanner) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *scanner) found() string {
	if d.i >= len(d.s) {
		return "the end of the line"
	}
	switch d.s[d.i] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	}
	r, _ := utf8.DecodeRuneInString(d.s[d.i:])
	return strconv.QuoteRune(r)
}

func (d *scanner) fail(format string, args ...any) error {
	return &DecodeError{Offset: d.i, Reason: "json", Detail: fmt.Sprintf(format, args...)}
}

func (d *scanner) expect(c byte) error {
	if d.i < len(d.s) && d.s[d.i] == c {
		d.i++
		return nil
	}
	return d.unexpected(c)
}

func (d *scanner) unexpected(c byte) error { return d.fail("found %s, expected '%c'", d.found(), c) }

func (d *scanner) literal(word string) error {
	if !strings.HasPrefix(d.s[d.i:], word) {
		return d.fail("found %s, expected %s", d.found(), word)
	}
	d.i += len(word)
	return nil
}

// str reads a string; without escapes it is a part of the line itself.
func (d *scanner) str() (string, error) {
	if err := d.expect('"'); err != nil {
		return "", err
	}
	start, s := d.i, d.s
	for i := start; i < len(s); i++ {
		c := s[i]
		if c > '"' && c != '\\' {
			continue // nearly always
		}
		switch d.i = i; {
		case c == '"':
			d.i++
			return s[start:i], nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", d.fail("control character 0x%02x in a string; write it as \\u%04x", c, c)
		}
	}
	d.i = len(s)
	return "", d.fail("the string does not end")
}

func (d *scanner) escaped(start int) (string, error) {
	buf := append(make([]byte, 0, 2*(d.i-start)+16), d.s[start:d.i]...)
	for d.i < len(d.s) {
		switch c := d.s[d.i]; {
		case c == '"':
			d.i++
			return string(buf), nil
		case c < ' ':
			return "", d.fail("control character 0x%02x in a string; write it as \\u%04x", c, c)
		case c != '\\':
			buf = append(buf, c)
			d.i++
		default:
			var err error
			if buf, err = d.escape(buf); err != nil {
				return "", err
			}
		}
	}
	return "", d.fail("the string does not end")
}

func (d *scanner) escape(buf []byte) ([]byte, error) {
	if d.i+1 >= len(d.s) {
		return nil, d.fail("the string does not end")
	}
	const plain, means = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	c := d.s[d.i+1]
	if k := strings.IndexByte(plain, c); k >= 0 {
		d.i += 2
		return append(buf, means[k]), nil
	}
	if c != 'u' {
		return nil, d.fail("unknown escape \\%c", c)
	}
	r, ok := d.hex4(d.i + 2)
	if !ok {
		return nil, d.fail("\\u needs four hex digits")
	}
	if !utf16.IsSurrogate(r) {
		d.i += 6
		return utf8.AppendRune(buf, r), nil
	}
	if strings.HasPrefix(d.s[min(d.i+6, len(d.s)):], `\u`) {
		if low, ok := d.hex4(d.i + 8); ok {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				d.i += 12
				return utf8.AppendRune(buf, full), nil
			}
		}
	}
	return nil, d.fail("half of a surrogate pair")
}

func (d *scanner) hex4(at int) (rune, bool) {
	if at+4 > len(d.s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(d.s[at : at+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number reads a number by JSON's grammar, which is narrower than strconv's.
func (d *scanner) number() (string, error) {
	start := d.i
	if d.peek() == '-' {
		d.i++
	}
	switch c := d.peek(); {
	case c == '0':
		d.i++
	case c >= '1' && c <= '9':
		d.digits()
	default:
		return "", d.fail("found %s, expected a digit", d.found())
	}
	if d.peek() == '.' {
		d.i++
		if !d.digits() {
			return "", d.fail("found %s, expected a digit", d.found())
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.i++
		if c := d.peek(); c == '+' || c == '-' {
			d.i++
		}
		if !d.digits() {
			return "", d.fail("found %s, expected a digit", d.found())
		}
	}
	return d.s[start:d.i], nil
}

func (d *scanner) digits() bool {
	start := d.i
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.i++
	}
	return d.i > start
}

// skip reads over any value and checks it.
func (d *scanner) skip(depth int) error {
	if depth > maxDepth {
		return d.fail("nested deeper than %d", maxDepth)
	}
	switch c := d.peek(); {
	case c == '"':
		_, err := d.str()
		return err
	case c == '{':
		return d.skipMembers('}', depth)
	case c == '[':
		return d.skipMembers(']', depth)
	case c == 't':
		return d.literal("true")
	case c == 'f':
		return d.literal("false")
	case c == 'n':
		return d.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		_, err := d.number()
		return err
	}
	return d.fail("found %s, expected a value", d.found())
}

func (d *scanner) skipMembers(end byte, depth int) error {
	d.i++
	d.space()
	if d.peek() == end {
		d.i++
		return nil
	}
	for {
		d.space()
		if end == '}' {
			if _, err := d.str(); err != nil {
				return err
			}
			d.space()
			if err := d.expect(':'); err != nil {
				return err
			}
			d.space()
		}
		if err := d.skip(depth + 1); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.i++
		case end:
			d.i++
			return nil
		default:
			return d.fail("found %s, expected ',' or '%c'", d.found(), end)
		}
	}
}
