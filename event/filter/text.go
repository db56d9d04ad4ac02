package filter

import (
	"slices"
	"strings"

	"imwatch/event"
)

// hasWords looks for words in a text. It allocates only where a text has words in capitals.
func hasWords(x Words) test {
	if len(x.Words) == 0 {
		return func(*event.Value) bool { return false }
	}
	return func(v *event.Value) bool {
		for start, end := nextWord(v.Text, 0); start < end; start, end = nextWord(v.Text, end) {
			word := strings.ToLower(v.Text[start:end])
			if x.Phrase && word == x.Words[0] && goesOn(v.Text, end, x.Words[1:]) || !x.Phrase && slices.Contains(x.Words, word) {
				return true
			}
		}
		return false
	}
}

// goesOn says whether the words at byte i are these.
func goesOn(s string, i int, words []string) bool {
	for _, want := range words {
		start, end := nextWord(s, i)
		if start == end || strings.ToLower(s[start:end]) != want {
			return false
		}
		i = end
	}
	return true
}

func hasWordLike(parts []string) test {
	return func(v *event.Value) bool {
		for start, end := nextWord(v.Text, 0); start < end; start, end = nextWord(v.Text, end) {
			if matchParts(strings.ToLower(v.Text[start:end]), parts) {
				return true
			}
		}
		return false
	}
}

// hasPattern matches the whole of a keyword. The usual kinds have no loop.
func hasPattern(parts []string) func(string) bool {
	first, last := parts[0], parts[len(parts)-1]
	switch {
	case len(parts) == 2 && last == "":
		return func(s string) bool { return strings.HasPrefix(s, first) }
	case len(parts) == 2 && first == "":
		return func(s string) bool { return strings.HasSuffix(s, last) }
	}
	return func(s string) bool { return matchParts(s, parts) }
}

// matchParts matches s against parts joined by stars.
func matchParts(s string, parts []string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
