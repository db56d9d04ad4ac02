package kqltest

import (
	"fmt"
	"math"
	"strings"

	"imwatch/event"

	"pgregory.net/rapid"
)

// value is what stands after the colon: characters, some of them wildcards, as they are meant, and their text.
type value struct {
	runes  []rune
	wild   []bool // of each character
	quoted bool
	date   bool
	text   string
}

func (v value) stars() int {
	n := 0
	for _, w := range v.wild {
		if w {
			n++
		}
	}
	return n
}

// constant is what Kibana sends: true and false are themselves where they are not quoted.
func (v value) constant() any {
	s := string(v.runes)
	if !v.quoted && (s == "true" || s == "false") {
		return s == "true"
	}
	return s
}

func (v value) queryString() string {
	var b strings.Builder
	for i, r := range v.runes {
		if v.wild[i] {
			b.WriteByte('*')
		} else {
			b.WriteString(escapeQueryString(string(r)))
		}
	}
	return b.String()
}

// value draws one of the field's type, or a lone wildcard.
func (s spec) value(t *rapid.T) value {
	if s.typ == event.GeoPoint || s.typ == event.Flattened || rapid.IntRange(0, 11).Draw(t, "exists") == 0 {
		return value{runes: []rune{'*'}, wild: []bool{true}, text: "*"}
	}
	switch s.typ {
	case event.Keyword:
		v := literal(rapid.SampledFrom(keywords()).Draw(t, "keyword"))
		if rapid.IntRange(0, 2).Draw(t, "wildcard") == 0 {
			v.sow(t)
		}
		return v.write(t)
	case event.Text:
		v := literal(sentence(t))
		if strings.TrimFunc(string(v.runes), noWord) == "" {
			v = literal("fox")
		}
		if rapid.IntRange(0, 2).Draw(t, "wildcard") == 0 {
			v.sow(t)
		}
		return v.write(t)
	case event.IP:
		if rapid.Bool().Draw(t, "network") {
			return literal(rapid.SampledFrom(networks()).Draw(t, "network")).write(t)
		}
	case event.Bool:
		return literal(rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool")).write(t)
	case event.Long:
		n := rapid.SampledFrom(longs()).Draw(t, "long")
		return literal(numbers(t, 0, n, true)).write(t)
	}
	return s.bound(t)
}

// noWord says of what words() draws what is none: alone it is nothing to look for, which is an error to us.
func noWord(r rune) bool { return strings.ContainsRune(" \n,-…%", r) }

// bound draws a value that others are compared with.
func (s spec) bound(t *rapid.T) value {
	switch s.typ {
	case event.Long:
		if rapid.IntRange(0, 3).Draw(t, "fraction") == 0 {
			return literal(numbers(t, rapid.SampledFrom([]float64{0.5, -1.5, 400.5, 1000.25}).Draw(t, "number"), 0, false)).write(t)
		}
		return literal(numbers(t, 0, rapid.SampledFrom(longs()).Draw(t, "long"), true)).write(t)
	case event.Float:
		x := rapid.SampledFrom(floats(false)).Draw(t, "float")
		return literal(numbers(t, x, int64(x), x == math.Trunc(x))).write(t)
	case event.Date:
		v := literal(dates().Draw(t, "date"))
		v.date = true
		return v.write(t)
	case event.IP:
		return literal(rapid.SampledFrom(addresses()).Draw(t, "ip")).write(t)
	}
	return literal(rapid.SampledFrom(keywords()).Draw(t, "keyword")).write(t)
}

func literal(s string) value {
	v := value{runes: []rune(s)}
	v.wild = make([]bool, len(v.runes))
	return v
}

// sow puts one to three wildcards in place of some of the characters.
func (v *value) sow(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "wildcards") {
		at := rapid.IntRange(0, len(v.runes)).Draw(t, "at")
		to := rapid.IntRange(at, min(at+3, len(v.runes))).Draw(t, "to")
		v.runes = append(append(append([]rune(nil), v.runes[:at]...), '*'), v.runes[to:]...)
		v.wild = append(append(append([]bool(nil), v.wild[:at]...), true), v.wild[to:]...)
	}
}

// write draws how the value is written: in quotes or bare, with escapes that are needed and some that are not.
func (v value) write(t *rapid.T) value {
	s := string(v.runes)
	v.quoted = v.stars() == 0 && (s == "" || s == "null" || strings.TrimFunc(s, blank) != s || rapid.Bool().Draw(t, "quotes"))
	if v.stars() > 0 && strings.TrimFunc(s, blank) != s { // cannot be said in KQL
		v.runes, v.wild = trim(v.runes, v.wild)
	}
	var b strings.Builder
	for i, r := range v.runes {
		b.WriteString(v.spell(t, i, r))
	}
	if v.text = b.String(); v.quoted {
		v.text = `"` + v.text + `"`
	}
	return v
}

func blank(r rune) bool { return strings.ContainsRune(" \t\r\n\u00a0\u3000", r) }

func trim(rs []rune, wild []bool) ([]rune, []bool) {
	for len(rs) > 0 && blank(rs[0]) {
		rs, wild = rs[1:], wild[1:]
	}
	for len(rs) > 0 && blank(rs[len(rs)-1]) {
		rs, wild = rs[:len(rs)-1], wild[:len(wild)-1]
	}
	return rs, wild
}

// spell writes one character.
func (v value) spell(t *rapid.T, i int, r rune) string {
	plain := string(r)
	special := `\():<>"*{}`
	if v.quoted {
		special = `\"`
	}
	switch {
	case v.wild[i]:
		return "*"
	case strings.ContainsRune(special, r):
		plain = `\` + plain
	case !v.quoted && v.keyword(i):
		plain = unicodeEscape(r)
	}
	switch {
	case r == '\t' && rapid.Bool().Draw(t, "escaped tab"):
		return `\t`
	case r == '\n' && rapid.Bool().Draw(t, "escaped line end"):
		return `\n`
	case r <= 0xFFFF && rapid.IntRange(0, 14).Draw(t, "escaped") == 0:
		return unicodeEscape(r)
	}
	return plain
}

// keyword says whether and, or, not begins at character i and would be taken for one.
func (v value) keyword(i int) bool {
	rest := strings.ToLower(string(v.runes[i:]))
	for _, word := range []string{"and", "or", "not"} {
		if after, ok := strings.CutPrefix(rest, word); ok && (after == "" || blank([]rune(after)[0])) && (i == 0 || blank(v.runes[i-1])) {
			return true
		}
	}
	return false
}

func unicodeEscape(r rune) string { return fmt.Sprintf(`\u%04x`, r) }
