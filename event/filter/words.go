package filter

import (
	"strings"
	"unicode/utf8"
)

// Tokenize cuts text into lower-cased words as Elasticsearch's standard analyzer does, by the rules of Unicode's
// annex 29 with its own additions: an ideograph, a Hiragana and an emoji are each a word, a run of Katakana or of Thai
// is one, and a word of more than 255 characters is cut.
func Tokenize(s string) []string {
	var words []string
	for start, end := nextWord(s, 0); start < end; start, end = nextWord(s, end) {
		words = append(words, strings.ToLower(s[start:end]))
	}
	return words
}

// nextWord finds the first word at or after byte i; there is none where start == end.
func nextWord(s string, i int) (start, end int) {
	for i < len(s) {
		n := plainWord(s[i:])
		if n == 0 {
			n = longestWord(window(s[i:]))
		}
		if n > 0 {
			return i, i + n
		}
		_, i = classAt(s, i)
	}
	return i, i
}

// plainWord measures what nearly all words are, ASCII letters and digits up to a space, without the rules for the rest;
// 0 where they are needed.
func plainWord(s string) int {
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf && (ascii[s[i]] == letter || ascii[s[i]] == digit) {
		if i++; i == maxWord {
			return i
		}
	}
	if i < len(s) && (s[i] >= utf8.RuneSelf || ascii[s[i]] != other) {
		return 0
	}
	return i
}

// maxWord is the longest word in UTF-16 units.
const maxWord = 255

// window is as much of s as a word can be made of.
func window(s string) string {
	if len(s) <= maxWord {
		return s
	}
	units := 0
	for i, r := range s {
		if units++; r > 0xFFFF {
			units++
		}
		if units > maxWord {
			return s[:i]
		}
	}
	return s
}

// longestWord gives the length of the word that s begins with, 0 where it begins with none.
func longestWord(s string) int {
	switch c, end := unitAt(s, 0); c {
	case letter, hebrew, digit, katakana, connector, emojiLetter:
		n := max(wordOf(s), keycapOf(s))
		if c == emojiLetter {
			n = max(n, emojiOf(s))
		}
		return n
	case han, hiragana:
		return end
	case southEast, southEastMark:
		for c == southEast || c == southEastMark {
			n := end
			if c, end = unitAt(s, n); c != southEast && c != southEastMark {
				return n
			}
		}
	case emoji, modifier, joiner:
		return emojiOf(s)
	case regional:
		if c, end = unitAt(s, end); c == regional {
			return end
		}
	default:
		return keycapOf(s)
	}
	return 0
}

// keycapOf measures a digit, # or * in a key.
func keycapOf(s string) int {
	if s[0] >= utf8.RuneSelf || ascii[s[0]] != digit && s[0] != '#' && s[0] != '*' {
		return 0
	}
	end, key := tail(s, 1)
	if c, next := classAt(s, end); c == emojiStyle {
		if c, next = classAt(s, next); c == keycap {
			end, _ = tail(s, next)
			return end
		}
	}
	if !key {
		return 0
	}
	return end
}

// tail gives the end of the extends at byte i, without those that say how an emoji looks, and whether there is a key
// among them.
func tail(s string, i int) (end int, key bool) {
	for {
		c, next := classAt(s, i)
		if !c.extends() || c == textStyle || c == emojiStyle {
			return i, key
		}
		i, key = next, key || c == keycap
	}
}

// emojiOf measures an emoji with its extends and the emoji that are joined to it. Joiners may stand before it.
func emojiOf(s string) int {
	c, end := classAt(s, joiners(s, 0))
	if first, _ := classAt(s, 0); !c.pictures() && first != modifier {
		return 0
	}
	for {
		end, _ = tail(s, end)
		if style, next := classAt(s, end); style == emojiStyle && c != modifier {
			end = next
		}
		at := joiners(s, end)
		var next int
		if c, next = classAt(s, at); !c.pictures() || !strings.HasSuffix(s[:at], "\u200d") {
			return end
		}
		end = next
	}
}

func joiners(s string, i int) int {
	for {
		c, next := classAt(s, i)
		if c != joiner {
			return i
		}
		i = next
	}
}

func (c class) pictures() bool { return c == emoji || c == emojiLetter }

// run is a word on its way: the last character that made it longer, what may keep it together with the next, and
// where the word ends so far.
type run struct {
	last class
	mid  bool // a mark may stand before the next letter or digit
	free bool // last was not taken together with a mark before it
	end  int
}

// wordOf measures a run of letters, digits and what keeps them together; 0 where s does not begin with one.
func wordOf(s string) int {
	c, end := unitAt(s, connectors(s, 0))
	if !c.core() {
		return 0
	}
	w := run{c, true, true, end}
	for w.extend(s) {
	}
	return w.end
}

// extend takes the next piece into the word and says whether there was one.
func (w *run) extend(s string) bool {
	if after := connectors(s, w.end); after > w.end { // beyond them, anything goes on
		w.end = after
		c, end := unitAt(s, after)
		if !c.core() {
			return false
		}
		*w = run{c, true, true, end}
		return true
	}
	c, end := unitAt(s, w.end)
	if c.core() {
		if (w.last == katakana) != (c == katakana) {
			return false
		}
		*w = run{c, true, true, end}
		return true
	}
	next, nextEnd := unitAt(s, end)
	switch {
	case w.mid && c.joins(w.last, next):
		*w = run{next, true, false, nextEnd}
	case w.free && w.last == hebrew && c == singleQuote:
		*w = run{hebrew, false, false, end}
	case w.free && w.last == hebrew && c == doubleQuote && next == hebrew:
		*w = run{hebrew, false, false, nextEnd}
	default:
		return false
	}
	return true
}

// joins says whether a mark between two characters keeps them one word.
func (c class) joins(before, after class) bool {
	switch c {
	case midLetter:
		return before.alphabetic() && after.alphabetic()
	case midDigit:
		return before == digit && after == digit
	case midBoth, singleQuote:
		return before == digit && after == digit || before.alphabetic() && after.alphabetic()
	}
	return false
}

func connectors(s string, i int) int {
	for {
		c, next := unitAt(s, i)
		if c != connector {
			return i
		}
		i = next
	}
}

// core says whether a character makes a word.
func (c class) core() bool { return c.alphabetic() || c == digit || c == katakana }

func (c class) alphabetic() bool { return c == letter || c == hebrew || c == emojiLetter }
