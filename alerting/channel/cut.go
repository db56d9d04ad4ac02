package channel

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// wordsLimit bounds what is kept of a provider's answer: enough for its code and sentence, not for an error page.
const wordsLimit = 400

func clip(s string) string { return CutBytes(s, wordsLimit) }

// CutBytes returns s in at most limit bytes of valid UTF-8. What does not fit is counted: the tail "…+N" says how
// many runes are left out. Invalid bytes become U+FFFD before. A limit too small for the tail gives "".
func CutBytes(s string, limit int) string { return CutBytesTo(s, limit, "") }

// CutBytesTo is CutBytes with more behind the tail, where something was left out: a link to the whole. It is left
// out itself where it would take more than half of the limit.
func CutBytesTo(s string, limit int, more string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	if more != "" && len(more)+1 <= limit/2 {
		return cutBytes(s, limit-len(more)-1) + " " + more
	}
	return cutBytes(s, limit)
}

func cutBytes(s string, limit int) string {
	// Every rune that is left out can make the number longer, so the tail is measured again until both fit.
	end := limit
	for {
		end = max(0, end)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		tail := "…+" + strconv.Itoa(utf8.RuneCountInString(s[end:]))
		if end+len(tail) <= limit {
			return s[:end] + tail
		}
		if end == 0 {
			return ""
		}
		end = min(end-1, limit-len(tail))
	}
}

// CutRunes returns s in at most limit runes, with the same tail.
func CutRunes(s string, limit int) string {
	rs := []rune(strings.ToValidUTF8(s, "\uFFFD"))
	if len(rs) <= limit {
		return string(rs)
	}
	for end := limit; end >= 0; end-- {
		tail := "…+" + strconv.Itoa(len(rs)-end)
		if end+utf8.RuneCountInString(tail) <= limit {
			return string(rs[:end]) + tail
		}
	}
	return ""
}
