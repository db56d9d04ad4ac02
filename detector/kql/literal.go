package kql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// literal is a field's name or a value. Between two parts stands a wildcard; a quoted one has a single part.
type literal struct {
	at     int
	parts  []string
	quoted bool
}

func (l literal) text() string { return strings.Join(l.parts, "*") }

// wild says whether there is a wildcard.
func (l literal) wild() bool { return len(l.parts) > 1 }

// star says whether there is nothing but wildcards: exists.
func (l literal) star() bool { return l.wild() && strings.Join(l.parts, "") == "" }

const special = `\():<>"*{}`

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

const nbsp = "\u00a0" // Kibana takes it for a space, and it comes with text pasted from pages

func (p *parser) space() {
	for p.i < len(p.src) {
		switch {
		case isSpace(p.src[p.i]):
			p.i++
		case strings.HasPrefix(p.src[p.i:], nbsp):
			p.i += len(nbsp)
		default:
			return
		}
	}
}

// keyword gives the word and, or, not that begins at byte i and ends there as a word, as written; else "".
func (p *parser) keyword(i int) string {
	if i > 0 && !isSpace(p.src[i-1]) && !strings.HasSuffix(p.src[:i], nbsp) && !strings.ContainsRune(`()":`, rune(p.src[i-1])) {
		return ""
	}
	for _, word := range []string{"and", "or", "not"} {
		end := i + len(word)
		if end > len(p.src) || !strings.EqualFold(p.src[i:end], word) {
			continue
		}
		rest := p.src[end:]
		if rest == "" || isSpace(rest[0]) || rest[0] == '(' || rest[0] == ')' || strings.HasPrefix(rest, nbsp) {
			return p.src[i:end]
		}
	}
	return ""
}

// take reads the keyword and the space after it, if it is there.
func (p *parser) take(word string) bool {
	have := p.keyword(p.i)
	if !strings.EqualFold(have, word) {
		return false
	}
	p.i += len(have)
	p.space()
	return true
}

// literal reads a quoted or unquoted text; what names it in the message when there is none.
func (p *parser) literal(what string) (literal, bool) {
	if p.failed {
		return literal{}, false
	}
	if p.i < len(p.src) && p.src[p.i] == '"' {
		return p.quoted()
	}
	l, ok := p.unquoted()
	if ok && !l.wild() && l.parts[0] == "" {
		p.fail(p.i, "found %s, expected %s", p.found(), what)
		return l, false
	}
	return l, ok
}

func (p *parser) quoted() (literal, bool) {
	l := literal{at: p.i, quoted: true}
	var b strings.Builder
	for p.i++; p.i < len(p.src); {
		switch c := p.src[p.i]; c {
		case '"':
			p.i++
			l.parts = []string{b.String()}
			return l, true
		case '\\':
			text, n, ok := p.escape(`\"`)
			if p.failed {
				return l, false
			}
			if !ok { // in quotes a backslash before anything else stands for itself
				text, n = `\`, 1
			}
			b.WriteString(text)
			p.i += n
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	p.fail(l.at, "found a quote that is never closed")
	return l, false
}

// unquoted reads up to a special character or a keyword; spaces inside belong to it, those around do not.
func (p *parser) unquoted() (literal, bool) {
	l := literal{at: p.i}
	var b strings.Builder
	gap := "" // spaces that belong to the text if more of it follows
	for p.i < len(p.src) && p.keyword(p.i) == "" {
		c := p.src[p.i]
		if isSpace(c) || strings.HasPrefix(p.src[p.i:], nbsp) {
			from := p.i
			p.space()
			gap = p.src[from:p.i]
			continue
		}
		if c != '\\' && c != '*' && strings.IndexByte(special, c) >= 0 {
			break
		}
		b.WriteString(gap)
		gap = ""
		switch c {
		case '*':
			l.parts = append(l.parts, b.String())
			b.Reset()
			p.i++
		case '\\':
			text, n, ok := p.escape(special)
			if !ok {
				p.fail(p.i, "found a backslash that escapes nothing; escaped are \\ ( ) : < > \" * { } and the words and, or, not; \\t \\r \\n \\uXXXX are characters")
				return l, false
			}
			b.WriteString(text)
			p.i += n
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	l.parts = append(l.parts, b.String())
	l.trim()
	return l, true
}

// trim takes the spaces of all scripts off both ends, escaped ones too, as Kibana does: those that are meant stand in
// quotes.
func (l *literal) trim() {
	last := len(l.parts) - 1
	l.parts[0] = strings.TrimLeftFunc(l.parts[0], trimmed)
	l.parts[last] = strings.TrimRightFunc(l.parts[last], trimmed)
}

func trimmed(r rune) bool { return unicode.IsSpace(r) && r != '\u0085' || r == '\ufeff' }

// escape reads the escape at the parser's place: its text, its length, and whether it is one.
func (p *parser) escape(chars string) (text string, n int, ok bool) {
	rest := p.src[p.i+1:]
	if rest == "" {
		return "", 0, false
	}
	if strings.IndexByte(chars, rest[0]) >= 0 {
		return rest[:1], 2, true
	}
	if chars == special {
		if word := p.escapedWord(rest); word != "" {
			return word, 1 + len(word), true
		}
	}
	switch rest[0] {
	case 't':
		return "\t", 2, true
	case 'r':
		return "\r", 2, true
	case 'n':
		return "\n", 2, true
	case 'u':
		return p.unicode(p.src[p.i:])
	}
	return "", 0, false
}

// escapedWord gives the keyword at the beginning of rest: \order is "order". \not must end there as a word: \nothing is a
// line end and "othing".
func (p *parser) escapedWord(rest string) string {
	for _, word := range []string{"and", "or", "not"} {
		if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
			continue
		}
		if word != "not" {
			return rest[:len(word)]
		}
		if after := rest[len(word):]; after == "" || isSpace(after[0]) || strings.IndexByte(special, after[0]) >= 0 || strings.HasPrefix(after, nbsp) {
			return rest[:len(word)]
		}
	}
	return ""
}

// unicode reads \uXXXX, or two of them that make one character.
func (p *parser) unicode(s string) (string, int, bool) {
	r, ok := hex4(s)
	if !ok {
		return "", 0, false
	}
	n := 6
	if utf16.IsSurrogate(r) {
		low, _ := hex4(s[6:])
		r, n = utf16.DecodeRune(r, low), 12
		if r == utf8.RuneError {
			p.fail(p.i, "found half of a character in \\uXXXX; characters above \\uFFFF need both halves")
			return "", 0, false
		}
	}
	return string(r), n, true
}

func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 32)
	return rune(n), err == nil
}
