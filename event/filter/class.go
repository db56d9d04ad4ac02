package filter

import (
	"slices"
	"unicode/utf8"
)

// class is what a character is to the cutting of words.
type class uint8

const (
	other         class = iota // between words
	letter                     // of alphabets and syllabaries that write words without spaces inside, Hangul too
	hebrew                     // a letter after which a quotation mark may stand
	digit                      //
	katakana                   // a run of it is one word
	hiragana                   // each is a word
	han                        // each is a word
	southEast                  // Thai, Lao, Khmer, Burmese …: a run is one word, as nobody can tell more without a dictionary
	southEastMark              // a mark of theirs: one of a word of its own, or an extend

	extend     // belongs to what stands before it
	joiner     // U+200D, an extend that holds emoji together
	keycap     // U+20E3, an extend that makes an emoji of a digit
	textStyle  // U+FE0E, an extend that is no part of an emoji
	emojiStyle // U+FE0F, an extend that ends an emoji, unless another is joined to it
	modifier   // a skin tone: an extend, and alone an emoji

	emoji       // each is a word, with its extends
	emojiLetter // a letter that is an emoji where it stands alone
	regional    // two of them are a flag

	connector   // as the underscore: belongs to the word beside it
	midLetter   // keeps two letters together
	midDigit    // keeps two digits together
	midBoth     // either, as the dot
	singleQuote // as midBoth, and may end a Hebrew word
	doubleQuote // keeps two Hebrew letters together
)

type classRange struct {
	lo, hi rune
	class  class
}

// ascii is the table for the characters that nearly all texts are made of.
var ascii = func() (t [utf8.RuneSelf]class) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = digit
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = letter
		}
	}
	t['_'], t['.'], t[':'], t['\''], t['"'], t[','], t[';'] = connector, midBoth, midLetter, singleQuote, doubleQuote, midDigit, midDigit
	return t
}()

// classAt gives the class of the character at byte i and where the next begins; other and i at the end.
func classAt(s string, i int) (class, int) {
	if i >= len(s) {
		return other, i
	}
	if c := s[i]; c < utf8.RuneSelf {
		return ascii[c], i + 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	at, found := slices.BinarySearchFunc(classTable[:], r, func(c classRange, r rune) int {
		switch {
		case c.hi < r:
			return -1
		case c.lo > r:
			return 1
		}
		return 0
	})
	if !found {
		return other, i + n
	}
	return classTable[at].class, i + n
}

// extends says whether the character belongs to whatever stands before it.
func (c class) extends() bool {
	return c == southEastMark || c >= extend && c <= modifier
}

// unitAt is classAt with the extends that follow.
func unitAt(s string, i int) (class, int) {
	c, end := classAt(s, i)
	for end > i {
		d, next := classAt(s, end)
		if !d.extends() {
			break
		}
		end = next
	}
	return c, end
}
