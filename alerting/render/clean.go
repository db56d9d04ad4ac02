package render

import (
	"strings"
	"unicode"
)

// cleaner gives the function that makes strangers' text harmless in a style.
func cleaner(s Style) func(string) string {
	if s == WeCom {
		return markdown
	}
	return line
}

// line makes a text one line: control, format and line-breaking characters become spaces. (Format characters turn
// the direction of writing or hide letters.)
func line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// markdown does the same and takes what would do something in WeCom's Markdown out of its way, by look-alikes, as
// there is no way to escape: < begins tags and mentions, [ links, and at the beginning > quotes and # headings.
func markdown(s string) string {
	s = strings.NewReplacer("<", "＜", "[", "［").Replace(line(s))
	trimmed := strings.TrimLeft(s, " ")
	switch {
	case strings.HasPrefix(trimmed, ">"):
		return "＞" + trimmed[1:]
	case strings.HasPrefix(trimmed, "#"):
		return "＃" + trimmed[1:]
	}
	return s
}
