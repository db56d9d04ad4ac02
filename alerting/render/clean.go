package render

import (
	"strings"
	"unicode"
)

// cleaner gives the function that makes strangers' text harmless in a style.
func cleaner(s Style) func(string) string {
	switch s {
	case WeCom, WeComV2, DingTalk, Feishu:
		return markdown
	case Slack:
		return mrkdwn
	}
	return line
}

// mrkdwn does it for Slack, whose own escapes are HTML's: a mention or a link begins with <. The signs of bold and
// code get look-alikes.
func mrkdwn(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "＊", "`", "ˋ").Replace(line(s))
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

// markdown does the same and takes what would do something in the Markdown of WeCom, DingTalk and Feishu out of its way,
// by look-alikes, as there is no way to escape: < begins tags and mentions, [ links, | columns, @ mentions (DingTalk),
// and at the beginning > quotes and # headings.
func markdown(s string) string {
	s = strings.NewReplacer("<", "＜", "[", "［", "|", "｜", "@", "＠", "*", "＊", "`", "ˋ").Replace(line(s))
	trimmed := strings.TrimLeft(s, " ")
	switch {
	case strings.HasPrefix(trimmed, ">"):
		return "＞" + trimmed[1:]
	case strings.HasPrefix(trimmed, "#"):
		return "＃" + trimmed[1:]
	}
	return s
}
