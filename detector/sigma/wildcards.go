package sigma

import (
	"errors"
	"strings"
)

var errQuestionMark = errors.New("found ?, which stands for exactly one character; KQL has only *, for any run of characters")

// wildcards gives what stands between the stars of a Sigma value; one part: there is none. A backslash before *, ? or
// a backslash takes their meaning away; before anything else it is itself.
func wildcards(s string) (parts []string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case ch == '*':
			parts = append(parts, b.String())
			b.Reset()
		case ch == '?':
			return nil, errQuestionMark
		default:
			b.WriteByte(ch)
		}
	}
	return append(parts, b.String()), nil
}

// inside adds the stars that modifiers mean.
func (m modifiers) inside(parts []string) []string {
	if m.contains || m.ends {
		parts = append([]string{""}, parts...)
	}
	if m.contains || m.starts {
		parts = append(parts, "")
	}
	return parts
}
