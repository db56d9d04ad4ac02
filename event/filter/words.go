package filter

import (
	"slices"
	"strings"
	"unicode"

	"imwatch/event"
)

// Tokenize cuts text into lower-cased words as Elasticsearch's standard analyzer does for the texts that we write:
// runs of letters, digits and marks; an ideograph is a word of its own; a dot or apostrophe between letters, a dot
// or comma between digits, and underscores belong to the word.
func Tokenize(s string) []string {
	var words []string
	runes := []rune(s)
	start := -1
	flush := func(end int) {
		if start >= 0 {
			words = append(words, strings.ToLower(string(runes[start:end])))
			start = -1
		}
	}
	for i, r := range runes {
		switch {
		case ideographic(r):
			flush(i)
			words = append(words, string(r))
		case wordRune(r):
			if start < 0 {
				start = i
			}
		case start >= 0 && i+1 < len(runes) && joins(runes[i-1], r, runes[i+1]):
		default:
			flush(i)
		}
	}
	flush(len(runes))
	return words
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_'
}

func ideographic(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana) }

// joins says whether a mark between two runes keeps them one word (Unicode TR 29, rules WB6, WB7, WB11, WB12).
func joins(before, r, after rune) bool {
	letters := unicode.IsLetter(before) && unicode.IsLetter(after) && !ideographic(after)
	digits := unicode.IsDigit(before) && unicode.IsDigit(after)
	switch r {
	case '.', '\'', '’':
		return letters || digits
	case ':':
		return letters
	case ',', ';':
		return digits
	}
	return false
}

func hasWords(x Words) func(event.Value) bool {
	return func(v event.Value) bool {
		have := Tokenize(v.Text)
		if !x.Phrase {
			return slices.ContainsFunc(x.Words, func(w string) bool { return slices.Contains(have, w) })
		}
		for i := 0; i+len(x.Words) <= len(have); i++ {
			if slices.Equal(have[i:i+len(x.Words)], x.Words) {
				return len(x.Words) > 0
			}
		}
		return false
	}
}

func hasWordLike(parts []string) func(event.Value) bool {
	return func(v event.Value) bool {
		return slices.ContainsFunc(Tokenize(v.Text), func(w string) bool { return matchParts(w, parts) })
	}
}
